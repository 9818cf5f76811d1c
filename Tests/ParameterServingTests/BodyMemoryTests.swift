// The bodies of one model, or of one address, share a limit of memory, however they grow and whenever they end.

import Testing

@testable import ParameterServing

@Suite("Memory of bodies")
struct BodyMemoryTests {
    /// A share of 300 bytes for a model and of 600 for an address.
    private func memory() -> BodyMemory {
        var configuration = ServingConfiguration(memoryLimit: 1_000)
        configuration.bodyPercentOfModel = 30
        configuration.bodyPercentOfAddress = 60
        return BodyMemory(configuration)
    }

    @Test("what one model's bodies hold is bounded, what those of others hold beside it is not touched by that")
    func models() throws {
        let memory = memory()
        let (first, second) = (memory.share(of: "a", from: "local"), memory.share(of: "a", from: "local"))
        try first.grow(by: 200)
        try second.grow(by: 100)
        #expect(throws: ServingError.bodiesTooLarge(of: .model("a"), needed: 1, limit: 300)) { try second.grow(by: 1) }
        #expect(throws: ServingError.self) { try first.grow(by: .max) }
        #expect(memory.held(by: .model("a")) == 300)
        try memory.share(of: "b", from: "local").grow(by: 300)
        first.shrink(by: 50)
        try second.grow(by: 50)
        withExtendedLifetime((first, second)) {}
    }

    @Test("one address's bodies are bounded whatever they are for; those of proxies on this machine are not")
    func addresses() throws {
        let memory = memory()
        let shares = ["a", "b", nil].map { memory.share(of: $0, from: "192.0.2.1") }
        for share in shares { try share.grow(by: 200) }
        for share in shares {
            #expect(throws: ServingError.bodiesTooLarge(of: .address("192.0.2.1"), needed: 1, limit: 600)) {
                try share.grow(by: 1)
            }
        }
        #expect(memory.held(by: .model("a")) == 200)
        try memory.share(of: "a", from: "192.0.2.2").grow(by: 100)
        for proxy in ["127.0.0.1", "::1", "local"] {
            let shares = (0..<4).map { _ in memory.share(of: nil, from: proxy) }
            for share in shares { try share.grow(by: 300) }
            #expect(memory.held(by: .address(proxy)) == 0)
        }
    }

    @Test("a body that is alone may hold more than its share, and no other one may join it then")
    func alone() throws {
        let memory = memory()
        var large: BodyShare? = memory.share(of: "a", from: "192.0.2.1")
        for _ in 0..<9 { try large?.grow(by: 100) }
        let late = memory.share(of: "a", from: "192.0.2.2")
        #expect(throws: ServingError.bodiesTooLarge(of: .model("a"), needed: 1, limit: 300)) { try late.grow(by: 1) }
        large = nil
        #expect(memory.held(by: .model("a")) == 0 && memory.held(by: .address("192.0.2.1")) == 0)
        try late.grow(by: 900)
        #expect(throws: ServingError.self) { try memory.share(of: "a", from: "local").grow(by: 1) }
    }
}
