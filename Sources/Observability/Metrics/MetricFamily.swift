// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What can be a member of a family: it writes its own sample lines.
protocol Metric: AnyObject, Sendable {
    func appendSamples(name: String, labels: LabelSet, to text: inout MetricText)
}

/// A metric with labels: one member for each combination of label values that was asked for.
///
/// At most 256 combinations: further ones share one member whose labels are all `other`, so that values that
/// come from outside cannot fill the memory of the process or of whoever scrapes it.
/// Cost: a short lock and a dictionary look-up; keep the member where the values are known beforehand.
package final class MetricFamily<Member: AnyObject & Sendable>: Sendable {
    /// Name, labels and help as declared.
    package let description: MetricDescription
    private let make: @Sendable () -> Member
    private let maximumMembers: Int
    private let members = Mutex<[[String]: Member]>([:])

    init(_ description: MetricDescription, maximumMembers: Int = 256, make: @escaping @Sendable () -> Member) {
        self.description = description
        self.maximumMembers = maximumMembers
        self.make = make
    }

    /// The member for these label values, one for each label in the declared order. Traps on another number.
    package func labels(_ values: String...) -> Member { member(values) }

    func member(_ values: [String]) -> Member {
        precondition(values.count == description.labels.count, "one value for each declared label")
        return members.withLock { members in
            if let member = members[values] { return member }
            let key = members.count < maximumMembers ? values : values.map { _ in "other" }
            if let member = members[key] { return member }
            let member = make()
            members[key] = member
            return member
        }
    }

    var snapshot: [(values: [String], member: Member)] {
        members.withLock { members in members.map { ($0.key, $0.value) } }
            .sorted { $0.values.lexicographicallyPrecedes($1.values) }
    }
}

/// A family, whatever its members are, as the registry keeps it.
protocol AnyMetricFamily: AnyObject, Sendable {
    var description: MetricDescription { get }
    func append(to text: inout MetricText)
}

extension MetricFamily: AnyMetricFamily where Member: Metric {
    func append(to text: inout MetricText) {
        for (values, member) in snapshot {
            let labels = LabelSet(pairs: Array(zip(description.labels, values)))
            member.appendSamples(name: description.name, labels: labels, to: &text)
        }
    }
}
