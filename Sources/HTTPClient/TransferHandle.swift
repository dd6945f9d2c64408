// SPDX-License-Identifier: Apache-2.0

/// The reading side's hold on a transfer: when the last copy goes, so does the transfer.
final class TransferHandle: Sendable {
    let number: UInt64
    let driver: TransferDriver
    let mailbox: ResponseMailbox

    init(number: UInt64, driver: TransferDriver, mailbox: ResponseMailbox) {
        self.number = number
        self.driver = driver
        self.mailbox = mailbox
    }

    deinit { abort() }

    /// Ends the transfer and closes its connection; harmless when it has ended.
    func abort() {
        guard !mailbox.isEnded else { return }
        mailbox.abandon(HTTPClientError(.cancelled, mayHaveReachedServer: true))
        driver.abort(number)
    }

    func nextResult(isolation: isolated (any Actor)?) async -> Result<[UInt8]?, HTTPClientError> {
        do throws(HTTPClientError) {
            return .success(try await mailbox.next(isolation: isolation))
        } catch {
            return .failure(error)
        }
    }

    func headResult() async -> Result<ResponseHead, HTTPClientError> {
        do throws(HTTPClientError) {
            return .success(try await mailbox.head())
        } catch {
            return .failure(error)
        }
    }
}
