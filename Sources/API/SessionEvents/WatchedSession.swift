// SPDX-License-Identifier: Apache-2.0
import Chat
import HTTPServer
import Persistence

/// A session that at least one page shows; confined to the hub.
final class WatchedSession {
    let place: SessionWatchReader.Place
    var viewers: [SessionViewer] = []
    var versions = SessionVersions()
    /// Messages that have changed and are to be read, with the version of their last change.
    var changed: [MessageID: Int64] = [:]
    /// The version of the last title that was sent: an older one that comes late is not.
    var titleVersion: Int64 = 0

    init(_ place: SessionWatchReader.Place) { self.place = place }

    var id: SessionID { place.session }
}

/// One open page; confined to the hub.
final class SessionViewer {
    let number: UInt64
    let session: WatchedSession
    let writer: EventStreamWriter
    var machine = SessionViewerMachine()
    var isGone = false

    init(number: UInt64, session: WatchedSession, writer: EventStreamWriter) {
        self.number = number
        self.session = session
        self.writer = writer
    }
}
