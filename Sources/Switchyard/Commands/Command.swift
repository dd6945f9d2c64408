// SPDX-License-Identifier: Apache-2.0
import Chat
import Persistence

/// What the program was asked to do.
enum Command: Equatable {
    /// The API.
    case serve
    /// A worker.
    case work
    /// Both in one process; migrates first.
    case all
    case migrateUp(to: Int?)
    case migrateDown(to: Int)
    case migrateStatus
    /// The queue as administrators see it.
    case adminQueue
    /// The workers as administrators see them.
    case adminWorkers
    /// The weights of tenants that were set.
    case adminWeights
    /// Sets a tenant's weight; nil takes it back to the one of all others.
    case adminSetWeight(UserID, Double?)
    /// The table of environment variables.
    case config
    case version
    case help

    static let usage = """
        Usage: switchyard COMMAND

          all                      API and worker in one process; applies migrations first
          serve                    API only
          work                     worker only
          migrate [up [NUMBER]]    apply what is missing, up to a number
          migrate down NUMBER      revert everything after a number; 0 reverts all
          migrate status           what is applied and what is not
          admin queue              what there is to do, by lane and kind, as JSON
          admin workers            worker processes, as JSON
          admin weights            users whose jobs get more or less of a lane than others', as JSON
          admin weight USER_ID VALUE
                                   gives a user a weight from 0.01 to 10; all others have 1, and so has one
                                   again whose VALUE is "default"
          config                   the table of environment variables
          version                  the version

        Settings come from the environment and from a file .env in the working folder; see switchyard config.
        """

    /// - Throws: ``UsageError`` with one sentence.
    init(arguments: [String]) throws(UsageError) {
        switch arguments.first {
        case "serve": self = .serve
        case "work": self = .work
        case "all": self = .all
        case "config": self = .config
        case "version", "--version": self = .version
        case "help", "--help", "-h", nil: self = .help
        case "migrate": self = try Self.migrate(Array(arguments.dropFirst()))
        case "admin": self = try Self.admin(Array(arguments.dropFirst()))
        case let other?: throw UsageError("there is no command «\(other)»; see switchyard help")
        }
        if self != .help, !["migrate", "admin"].contains(arguments.first), arguments.count > 1 {
            throw UsageError("\(arguments[0]) takes no further words; settings come from the environment")
        }
    }

    private static func admin(_ words: [String]) throws(UsageError) -> Command {
        switch (words.first, words.count) {
        case ("queue", 1): return .adminQueue
        case ("workers", 1): return .adminWorkers
        case ("weights", 1): return .adminWeights
        case ("weight", 3): return .adminSetWeight(try user(words[1]), try weight(words[2]))
        default:
            throw UsageError("usage: switchyard admin queue | workers | weights | weight USER_ID (VALUE | default)")
        }
    }

    private static func user(_ word: String) throws(UsageError) -> UserID {
        guard let user = UserID(word) else { throw UsageError("«\(word)» is no user's id, which is a UUID") }
        return user
    }

    private static func weight(_ word: String) throws(UsageError) -> Double? {
        if word == "default" { return nil }
        let range = TenantWeights.range
        // Nothing but a number within the range is contained in it; «nan» is none.
        guard let weight = Double(word), range.contains(weight) else {
            throw UsageError(
                "«\(word)» is no weight, which is a number from \(range.lowerBound) to \(range.upperBound) or default")
        }
        return weight
    }

    private static func migrate(_ words: [String]) throws(UsageError) -> Command {
        switch (words.first, words.count) {
        case (nil, _), ("up", 1): return .migrateUp(to: nil)
        case ("up", 2): return .migrateUp(to: try number(words[1]))
        case ("down", 2): return .migrateDown(to: try number(words[1]))
        case ("status", 1): return .migrateStatus
        default: throw UsageError("usage: switchyard migrate [up [NUMBER] | down NUMBER | status]")
        }
    }

    private static func number(_ word: String) throws(UsageError) -> Int {
        guard let number = Int(word), number >= 0 else { throw UsageError("«\(word)» is no migration's number") }
        return number
    }
}

/// A command line that cannot be understood.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ sentence: String) { description = sentence }
}
