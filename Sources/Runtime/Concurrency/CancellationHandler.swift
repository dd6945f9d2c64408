// SPDX-License-Identifier: Apache-2.0

/// `withTaskCancellationHandler` whose operation stays on the caller's actor.
///
/// The library's own runs the operation of a nonisolated function on the global pool and comes back: two changes of
/// thread for each wait of a task that lives on an event loop.
package func withCancellationHandler<Value>(
    isolation: isolated (any Actor)? = #isolation, _ operation: () async -> Value, onCancel: @Sendable () -> Void
) async -> Value {
    await withTaskCancellationHandler(
        operation: {
            _ = isolation  // capturing it is what keeps the operation here
            return await operation()
        }, onCancel: onCancel, isolation: isolation)
}
