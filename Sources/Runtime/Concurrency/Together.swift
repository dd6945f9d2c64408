// SPDX-License-Identifier: Apache-2.0

/// Runs two operations at the same time on the caller's actor: the first up to its first wait, then the second.
///
/// `async let` would begin on the global pool. Both have ended when this returns; the task's cancellation reaches both.
package func together<First: Sendable, Second>(
    isolation: isolated (any Actor)? = #isolation, _ first: @escaping @Sendable () async -> First,
    _ second: () async -> Second
) async -> (First, Second) {
    let task = Task.immediate {
        _ = isolation  // capturing it is what keeps the task here
        return await first()
    }
    return await withCancellationHandler {
        let ofSecond = await second()
        return (await task.value, ofSecond)
    } onCancel: {
        task.cancel()
    }
}
