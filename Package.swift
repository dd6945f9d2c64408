// swift-tools-version: 6.3
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// One strict setting for every Swift target: language mode 6, strict memory safety, every upcoming
// feature this toolchain lists, and warnings that fail the build.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .treatWarning("DeprecatedDeclaration", as: .warning),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, resources: resources,
        swiftSettings: strict)
}

let package = Package(
    name: "switchyard",
    products: [
        .executable(name: "switchyard", targets: ["Switchyard"]),
        .executable(name: "switchyard-bench", targets: ["SwitchyardBench"]),
        .executable(name: "switchyard-provider-simulator", targets: ["SwitchyardProviderSimulator"]),
        // Loaded into processes under test, never linked.
        .library(name: "ClockShift", type: .dynamic, targets: ["ClockShift"]),
    ],
    targets: [
        // C libraries: each is imported by exactly one Swift module.
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(
            name: "CLLHTTP",
            cSettings: [.treatAllWarnings(as: .error), .define("LLHTTP_STRICT_MODE", to: "1")]),
        .target(name: "CLinux", cSettings: [.treatAllWarnings(as: .error)]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),

        // The product, leaves first.
        module("JSON"),
        module("Chat", ["JSON"]),
        module("Tokenization", ["Chat"]),
        module("Cryptography", ["COpenSSL", "CSodium"]),
        module("Observability"),
        module("Runtime", ["CLinux"]),
        module("HTTP"),
        module("HTTPServer", ["CLLHTTP", "HTTP", "Observability", "Runtime"]),
        module("HTTPClient", ["CCurl", "HTTP", "Observability", "Runtime"]),
        module("Postgres", ["CPostgres", "Observability", "Runtime"]),
        module("Jobs", ["Chat", "JSON"]),
        module(
            "Persistence", ["Chat", "Cryptography", "JSON", "Jobs", "Observability", "Postgres", "Runtime"],
            resources: [.embedInCode("Migrations")]),
        module("Providers", ["Chat", "HTTP", "HTTPClient", "JSON", "Observability"]),
        module(
            "API",
            [
                "Chat", "Cryptography", "HTTP", "HTTPServer", "JSON", "Jobs", "Observability", "Persistence", "Runtime",
                "Tokenization",
            ]),
        module(
            "Worker",
            [
                "Chat", "HTTPClient", "JSON", "Jobs", "Observability", "Persistence", "Providers", "Runtime",
                "Tokenization",
            ]),
        .executableTarget(
            name: "Switchyard",
            dependencies: [
                "API", "HTTPServer",
                "Chat", "Cryptography", "HTTPClient", "JSON", "Jobs", "Observability", "Persistence", "Postgres",
                "Providers", "Runtime", "Tokenization", "Worker",
            ], swiftSettings: strict),
        .executableTarget(
            name: "SwitchyardBench",
            dependencies: [
                "API", "Chat", "HTTP", "JSON", "Jobs", "Observability", "Persistence", "Postgres", "Providers",
                "Runtime",
                "TestSupport", "Worker",
            ], path: "Benchmarks", exclude: ["README.md", "peers", "pgbench", "results"], swiftSettings: strict),
        .executableTarget(
            name: "SwitchyardProviderSimulator", dependencies: ["Runtime", "TestSupport"],
            path: "Sources/ProviderSimulator", swiftSettings: strict),
        module(
            "TestSupport",
            ["Chat", "Cryptography", "HTTP", "JSON", "Jobs", "Observability", "Persistence", "Postgres", "Runtime"]),

        // Tests mirror the modules.
        tests("JSON", []),
        tests("Chat", ["JSON"]),
        tests("Tokenization", ["Chat"]),
        tests("Cryptography", []),
        tests("Observability", []),
        tests("Runtime", []),
        tests("HTTP", []),
        tests("HTTPServer", ["HTTP", "Observability", "Runtime"]),
        tests("HTTPClient", ["HTTP", "Observability", "Runtime", "TestSupport"]),
        tests("Postgres", ["Observability", "Runtime"]),
        tests("Jobs", ["Chat"]),
        tests(
            "Persistence",
            ["Chat", "Cryptography", "JSON", "Jobs", "Observability", "Postgres", "Runtime", "TestSupport"]),
        tests("Providers", ["Chat", "HTTP", "HTTPClient", "JSON", "Observability", "Runtime", "TestSupport"]),
        tests(
            "API",
            [
                "Chat", "Cryptography", "HTTP", "HTTPServer", "JSON", "Jobs", "Observability", "Persistence",
                "Postgres",
                "Runtime", "TestSupport",
            ]),
        .target(name: "ClockShift", path: "Tests/ClockShift", cSettings: [.treatAllWarnings(as: .error)]),
        .testTarget(
            name: "EndToEndTests", dependencies: ["JSON", "Postgres", "Runtime", "Switchyard", "TestSupport"],
            swiftSettings: strict),
        tests("TestSupport", ["HTTP", "HTTPClient", "JSON", "Runtime"]),
        tests("Worker", ["Chat", "Jobs", "Observability", "Persistence", "Runtime", "TestSupport"]),
    ]
)
