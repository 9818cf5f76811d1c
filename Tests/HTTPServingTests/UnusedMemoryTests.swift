// The pages that a connection returns while it waits: only those that hold zeros, and only of its own memory.

import CMicroHTTPD
import Glibc
import Testing

@Suite("Unused memory of a connection")
struct UnusedMemoryTests {
    private static let size = 32_768

    /// Memory like the library's for a connection: a head, zeros with a second request in between, and the parsed head.
    private func connectionMemory() throws -> UnsafeMutablePointer<CChar> {
        let memory = try #require(malloc(Self.size)).bindMemory(to: CChar.self, capacity: Self.size)
        memset(memory, 0, Self.size)
        for (place, text) in [(0, "GET / HTTP/1.1"), (17_000, "GET /next HTTP/1.1"), (32_700, "the parsed head")] {
            for (offset, byte) in text.utf8.enumerated() { memory[place + offset] = CChar(bitPattern: byte) }
        }
        return memory
    }

    /// The number of pages of the memory that are held.
    private func heldPages(of memory: UnsafeMutablePointer<CChar>) -> Int {
        let page = UInt(getpagesize())
        let start = UInt(bitPattern: memory) & ~(page - 1)
        let end = (UInt(bitPattern: memory) + UInt(Self.size) + page - 1) & ~(page - 1)
        var held = [UInt8](repeating: 0, count: Int((end - start) / page))
        mincore(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), &held)
        return held.count { $0 & 1 == 1 }
    }

    /// Whether blocks come from glibc; a sanitizer has an allocator of its own, and then nothing is returned.
    private var isPlain: Bool {
        let program = dlopen(nil, RTLD_NOW)
        return dlsym(program, "__tsan_init") == nil && dlsym(program, "__asan_init") == nil
    }

    @Test("all pages of zeros are returned, and nothing changes")
    func zeros() throws {
        let memory = try connectionMemory()
        defer { free(memory) }
        let before = (held: heldPages(of: memory), bytes: Array(UnsafeBufferPointer(start: memory, count: Self.size)))
        http_return_zeros(memory, Self.size)
        // Of the seven or eight pages, the one with the second request stays.
        if isPlain { #expect(before.held - heldPages(of: memory) >= 5) }
        #expect(Array(UnsafeBufferPointer(start: memory, count: Self.size)) == before.bytes)
    }

    @Test("nothing is returned if the request does not start where its memory does", arguments: [2, 16, 4_096, 8_192])
    func emptyLines(count: Int) throws {
        let memory = try connectionMemory()
        defer { free(memory) }
        memset(memory, 0, 16)
        let before = heldPages(of: memory)
        http_return_zeros(memory + count, Self.size)
        #expect(heldPages(of: memory) == before)
    }
}
