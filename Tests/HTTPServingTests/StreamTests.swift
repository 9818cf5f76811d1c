// Answers produced while they are sent: the connection is suspended while there is nothing to send, and the producer
// always learns that the answer has ended.

import Glibc
import Testing
import Threading

@testable import HTTPServing

@Suite("Streams")
struct StreamTests {
    private static let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    /// The source of the request that has just been sent.
    private func source(_ server: TestServer) throws -> TestSource {
        #expect(eventually { server.hub.seen.sources.count == 1 })
        return try #require(server.hub.seen.sources.first)
    }

    @Test("content of unknown length goes out in chunks as it is made; the connection is kept", arguments: [1, 7, 90])
    func chunks(pieces: Int) throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/stream")
        let source = try source(server)
        for index in 0..<pieces {
            #expect(eventually { source.isAwaited })
            source.add(Array(Self.bytes[index * Self.bytes.count / pieces..<(index + 1) * Self.bytes.count / pieces]))
        }
        source.finish()
        let head = try #require(client.head())
        #expect(head["Transfer-Encoding"] == "chunked" && head["Content-Length"] == nil)
        #expect(client.chunkedBody() == Self.bytes)
        #expect(eventually { source.isClosed })
        client.request("GET", "/after")
        #expect(client.answer()?.text == "GET after\n")
        #expect(eventually { server.server.counters.queuedBytes >= Self.bytes.count })
    }

    @Test("content of known length announces it")
    func known() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/stream/\(Self.bytes.count)")
        let source = try source(server)
        #expect(eventually { source.isAwaited })
        source.add(Self.bytes)
        source.finish()
        let answer = try #require(client.answer())
        #expect(answer["Content-Length"] == "\(Self.bytes.count)" && answer.body == Self.bytes)
        client.request("GET", "/after")
        #expect(client.answer()?.text == "GET after\n")
    }

    @Test("nothing is asked for while there is nothing, and nothing at all for HEAD")
    func sleeps() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/stream")
        let source = try source(server)
        #expect(eventually { source.isAwaited })
        // Other requests keep the loops busy in the meantime.
        let other = server.client()
        for _ in 0..<200 {
            other.request("GET", "/x")
            #expect(other.answer()?.status == 200)
        }
        #expect(source.reads == 1)
        source.finish()
        #expect(client.head() != nil && client.chunkedBody() == [])
        client.request("HEAD", "/stream/5")
        #expect(client.answer(toHead: true)?["Content-Length"] == "5")
        #expect(eventually { server.hub.seen.sources.allSatisfy(\.isClosed) && server.hub.seen.sources.count == 2 })
        #expect(server.hub.seen.sources.last?.reads == 0)
    }

    @Test("a client that has closed its sending side gets all of it", arguments: [false, true])
    func halfClosed(whileStarving: Bool) throws {
        let server = try TestServer { $0.idleDeadline = .seconds(1_000) }
        let client = server.client()
        client.request("GET", "/stream")
        let source = try source(server)
        if whileStarving { #expect(eventually { source.isAwaited }) }
        client.finishSending()
        for half in [Self.bytes.prefix(150_000), Self.bytes.suffix(150_000)] {
            #expect(eventually { source.isAwaited })
            source.add(Array(half))
        }
        source.finish()
        #expect(client.head() != nil && client.chunkedBody() == Self.bytes)
        #expect(client.rest() == [])
        #expect(eventually { server.server.counters.connections == 0 })
    }

    @Test("to HTTP/1.0 it goes out without chunks, up to the end of the connection")
    func olderVersion() throws {
        let server = try TestServer()
        let client = server.client()
        client.send("GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n")
        let source = try source(server)
        source.add(Self.bytes)
        source.finish()
        #expect(client.head()?["Transfer-Encoding"] == nil)
        #expect(client.rest() == Self.bytes)
    }

    @Test("the producer learns that the client has left", arguments: [false, true])
    func left(whileStarving: Bool) throws {
        let server = try TestServer()
        var client: Client? = server.client()
        client?.request("GET", "/stream")
        let source = try source(server)
        #expect(eventually { source.isAwaited })
        if !whileStarving { source.add([UInt8](repeating: 1, count: 64 << 20)) }
        client?.resetOnClose()
        client = nil
        #expect(eventually { source.isClosed })
        #expect(eventually { server.server.counters.connections == 0 })
    }

    @Test("a stop ends it early, and the client can tell")
    func stop() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/stream")
        let source = try source(server)
        source.add(Self.bytes)
        #expect(eventually { source.isAwaited && server.server.counters.queuedBytes >= Self.bytes.count })
        server.server.stop()
        #expect(source.isClosed)
        #expect(client.head() != nil && client.chunkedBody() == nil)
    }
}
