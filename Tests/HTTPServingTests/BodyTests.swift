// Bodies that are too long, refused on the way, or never end.

import Glibc
import Testing

@testable import HTTPServing

@Suite("Bodies")
struct BodyTests {
    @Test("a body too long by its announcement is refused before a byte of it is read")
    func tooLongAnnounced() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("POST", "/echo", headers: "Content-Length: 1048577\r\n")
        let answer = try #require(client.answer())
        #expect(answer.status == 413)
        #expect(answer["Connection"] == "close")
        #expect(client.rest() == [])
        #expect(server.server.counters.receivedBytes == 0)
    }

    @Test("a client that sends its whole body before it reads still gets the answer", arguments: ["/refuse", "/early"])
    func sendsBeforeReading(target: String) throws {
        let server = try TestServer()
        let client = server.client()
        client.request("POST", target, headers: "Content-Length: \(20 << 20)\r\n")
        #expect(client.send([UInt8](repeating: 97, count: 20 << 20)))
        let answer = try #require(client.answer())
        #expect(answer.status == (target == "/refuse" ? 403 : 422))
        #expect(answer["Date"]?.hasSuffix(" GMT") == true)
        #expect(client.rest() == [])
        #expect(server.hub.seen.finished == 0)
    }

    @Test("the date of an answer has the form of HTTP")
    func date() {
        #expect(EarlyAnswer.date(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test("a chunked body that grows too long is refused while it is sent")
    func tooLongChunked() throws {
        let server = try TestServer()
        let client = server.client()
        client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 97, count: 0x10000) + Array("\r\n".utf8)
        for _ in 0..<32 { client.send(chunk) }
        let answer = try #require(client.answer())
        #expect(answer.status == 413)
        #expect(client.rest() == [])
        #expect(server.hub.seen.abandonedBodies == 1)
        #expect(server.hub.seen.finished == 0)
    }

    @Test("a receiver that refuses a short body answers after it, and the connection is kept")
    func refusedShort() throws {
        let server = try TestServer()
        let client = server.client()
        for _ in 0..<2 {
            client.request("POST", "/early", body: String(repeating: "a", count: 60_000))
            #expect(client.answer()?.status == 422)
        }
        #expect(server.hub.seen.abandonedBodies == 0)
    }

    @Test("a receiver that refuses a long body answers at once, and the client can read it")
    func refusedLong() throws {
        let server = try TestServer()
        let client = server.client()
        let size = 50 << 20
        client.request("POST", "/early", headers: "Content-Length: \(size)\r\n")
        client.send([UInt8](repeating: 97, count: 100_000))
        #expect(client.answer()?.status == 422)
        client.send([UInt8](repeating: 97, count: 10 << 20))
    }

    @Test("a client that leaves in mid-body is noticed and nothing finished", arguments: ["end", "reset", "half"])
    func leaves(how: String) throws {
        let server = try TestServer()
        do {
            let client = server.client()
            client.request("POST", "/echo", headers: "Content-Length: 100000\r\n")
            client.send([UInt8](repeating: 97, count: 50_000))
            #expect(eventually { server.server.counters.receivedBytes == 50_000 })
            if how == "reset" { client.resetOnClose() }
            if how == "half" {
                client.finishSending()
                #expect(client.rest() == [])
            }
        }
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
        #expect(server.hub.seen.finished == 0)
        #expect(eventually { server.server.counters.connections == 0 })
    }

    @Test("a chunked body that is truncated is not finished")
    func cutChunk() throws {
        let server = try TestServer()
        let client = server.client()
        client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")
        client.finishSending()
        _ = client.rest()
        #expect(eventually { server.hub.seen.abandonedBodies == 1 })
        #expect(server.hub.seen.finished == 0)
    }

    @Test("a body method without any length is answered with 411 if a body is expected")
    func lengthRequired() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("POST", "/echo")
        #expect(client.answer()?.status == 411)
        let other = server.client()
        other.request("POST", "/step")
        #expect(other.answer()?.text == "POST step\n")
    }
}
