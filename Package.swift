// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6)]

let package = Package(
    name: "paramd",
    products: [
        .executable(name: "paramd", targets: ["paramd"]),
        .executable(name: "paramd-benchmark", targets: ["paramd-benchmark"]),
        .library(name: "ParameterServer", targets: ["ParameterServer"]),
        .library(name: "Optimizers", targets: ["Optimizers"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CMicroHTTPD", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .target(name: "CArguments"),
        .target(name: "CFiles"),
        .target(name: "CHTTPFailures"),
        .target(name: "CKernels"),
        .target(name: "CMalloc"),
        .target(name: "Names", swiftSettings: strict),
        .target(name: "Threading", swiftSettings: strict),
        .target(name: "Optimizers", dependencies: ["CKernels", "Names", "Threading"], swiftSettings: strict),
        .target(name: "TensorCoding", dependencies: ["CJansson", "Names", "Threading"], swiftSettings: strict),
        .target(name: "Journal", dependencies: ["CFiles", "CKernels", "Threading"], swiftSettings: strict),
        .target(
            name: "ParameterServing",
            dependencies: ["CArguments", "Names", "Optimizers", "Journal", "Threading", "CXXHash"],
            swiftSettings: strict),
        .target(
            name: "HTTPServing", dependencies: ["CMicroHTTPD", "CHTTPFailures", "Threading"], swiftSettings: strict),
        .target(
            name: "ParameterAPI",
            dependencies: [
                "CMalloc", "Names", "ParameterServing", "TensorCoding", "HTTPServing", "Optimizers", "Threading",
            ],
            resources: [.embedInCode("Resources/openapi.json")], swiftSettings: strict),
        .target(
            name: "ParameterServer",
            dependencies: [
                "CArguments", "CMalloc", "HTTPServing", "Names", "ParameterAPI", "Journal", "TensorCoding", "Threading",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .executableTarget(name: "paramd", dependencies: ["ParameterServer"], swiftSettings: strict),
        .target(name: "CReference", dependencies: ["CMicroHTTPD"]),
        .executableTarget(
            name: "paramd-benchmark",
            dependencies: [
                "CReference", "Names", "Optimizers", "Threading",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .target(name: "MyMomentum", dependencies: ["Optimizers"], path: "Tests/MyMomentum", swiftSettings: strict),
        .executableTarget(
            name: "own-daemon", dependencies: ["ParameterServer", "MyMomentum", "Optimizers"],
            path: "Tests/OwnDaemon", swiftSettings: strict),
        .target(
            name: "SimulatedMachine", dependencies: ["Journal", "Threading"], path: "Tests/SimulatedMachine",
            swiftSettings: strict),
        .testTarget(name: "NamesTests", dependencies: ["Names"], swiftSettings: strict),
        .testTarget(name: "ThreadingTests", dependencies: ["Threading"], swiftSettings: strict),
        .testTarget(
            name: "OptimizersTests", dependencies: ["Names", "Optimizers", "CKernels", "MyMomentum"],
            exclude: ["Reference"],
            resources: [.copy("Golden")],
            swiftSettings: strict),
        .testTarget(
            name: "TensorCodingTests", dependencies: ["Names", "TensorCoding"], resources: [.copy("Corpora")],
            swiftSettings: strict),
        .testTarget(
            name: "HTTPServingTests", dependencies: ["CMicroHTTPD", "HTTPServing", "Threading"],
            resources: [.copy("Corpora")],
            swiftSettings: strict),
        .testTarget(
            name: "JournalTests", dependencies: ["Journal", "SimulatedMachine", "Threading"], exclude: ["Reference"],
            resources: [.copy("Golden")],
            swiftSettings: strict),
        .testTarget(
            name: "ParameterAPITests",
            dependencies: [
                "HTTPServing", "Journal", "Names", "Optimizers", "ParameterAPI", "ParameterServing", "TensorCoding",
                "Threading",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ParameterServerTests",
            dependencies: [
                "HTTPServing", "Names", "Optimizers", "ParameterAPI", "ParameterServer", "ParameterServing",
                "Threading",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ParameterServingTests",
            dependencies: ["Journal", "Names", "ParameterServing", "SimulatedMachine", "Threading"],
            exclude: ["Reference", "Scenarios", "Simulation/Planted"],
            resources: [.copy("Golden")],
            swiftSettings: strict),
    ]
)
