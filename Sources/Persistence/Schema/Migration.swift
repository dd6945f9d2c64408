// SPDX-License-Identifier: Apache-2.0

/// One numbered step of the schema: a pair of SQL files of one name, each run in one transaction.
package struct Migration: Sendable {
    /// Rising from 1; the order in which they are applied.
    package let number: Int
    /// The file's name between number and direction.
    package let name: String
    /// Whether programs that do not know it must not run on what it leaves behind.
    package let isBreaking: Bool
    /// The script that applies it.
    package let up: String
    /// The script that reverts it.
    package let down: String

    init(_ number: Int, _ name: String, isBreaking: Bool = false, up: [UInt8], down: [UInt8]) {
        self.number = number
        self.name = name
        self.isBreaking = isBreaking
        self.up = String(decoding: up, as: UTF8.self)
        self.down = String(decoding: down, as: UTF8.self)
    }

    /// Every step this program knows. The embedded files cannot be enumerated; a test compares this list with the
    /// folder.
    package static let all = [
        Migration(
            1, "queue", up: PackageResources.m0001_queue_up_sql, down: PackageResources.m0001_queue_down_sql),
        Migration(2, "chat", up: PackageResources.m0002_chat_up_sql, down: PackageResources.m0002_chat_down_sql),
        Migration(
            3, "rate_limits", up: PackageResources.m0003_rate_limits_up_sql,
            down: PackageResources.m0003_rate_limits_down_sql),
        Migration(
            5, "lines", up: PackageResources.m0005_lines_up_sql, down: PackageResources.m0005_lines_down_sql),
        Migration(
            6, "provider_budgets", up: PackageResources.m0006_provider_budgets_up_sql,
            down: PackageResources.m0006_provider_budgets_down_sql),
        Migration(
            8, "worker_news", up: PackageResources.m0008_worker_news_up_sql,
            down: PackageResources.m0008_worker_news_down_sql),
        Migration(
            9, "upkeep", up: PackageResources.m0009_upkeep_up_sql,
            down: PackageResources.m0009_upkeep_down_sql),
        Migration(
            10, "job_updates", up: PackageResources.m0010_job_updates_up_sql,
            down: PackageResources.m0010_job_updates_down_sql),
        Migration(11, "turns", up: PackageResources.m0011_turns_up_sql, down: PackageResources.m0011_turns_down_sql),
        Migration(
            12, "line_fronts", up: PackageResources.m0012_line_fronts_up_sql,
            down: PackageResources.m0012_line_fronts_down_sql),
        Migration(
            13, "record_room", up: PackageResources.m0013_record_room_up_sql,
            down: PackageResources.m0013_record_room_down_sql),
        Migration(
            14, "enqueue_bounds", up: PackageResources.m0014_enqueue_bounds_up_sql,
            down: PackageResources.m0014_enqueue_bounds_down_sql),
    ]
}
