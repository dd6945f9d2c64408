// SPDX-License-Identifier: Apache-2.0
package import Postgres

extension PostgresConfiguration {
    /// For connections that run this module's statements, which all have their index.
    ///
    /// A plan is made when a connection prepares a statement, often while the line, or the whole database, is nearly
    /// empty. Reading all of a table of one page is cheapest then, and the connection would go on doing so while the
    /// line grows, until the tables' statistics are next taken: at 100 000 jobs a claim cost 17 ms instead of 0.2.
    /// Where a statement has to read everything, this changes nothing but estimates, which must not start the
    /// just-in-time compiler.
    package var withIndexedPlans: PostgresConfiguration {
        var configuration = self
        configuration.runtimeParameters["enable_seqscan"] = "off"
        configuration.runtimeParameters["jit"] = "off"
        return configuration
    }

    /// For the connection that claims: its commits do not wait for the disk, see `PostgresJobQueue.persist()`. One plan for all numbers of slots. Left to itself the server makes a new one for
    /// each claim, because a small limit looks cheaper than an unknown one: half of what a claim costs.
    package var forClaims: PostgresConfiguration {
        var configuration = withIndexedPlans
        configuration.runtimeParameters["synchronous_commit"] = "off"
        configuration.runtimeParameters["plan_cache_mode"] = "force_generic_plan"
        return configuration
    }
}
