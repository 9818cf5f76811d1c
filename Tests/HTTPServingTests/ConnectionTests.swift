// Behaviour of one connection: keep-alive, pipelining, HEAD, refusals, large answers.

import Glibc
import Testing

@testable import HTTPServing

@Suite("Connections")
struct ConnectionTests {
    @Test("a GET is answered and its connection kept")
    func get() throws {
        let server = try TestServer()
        let client = server.client()
        for number in 0..<3 {
            client.request("GET", "/hello/\(number)")
            let answer = try #require(client.answer())
            #expect(answer.status == 200)
            #expect(answer.text == "GET hello|\(number)\n")
            #expect(answer["Connection"] == nil)
        }
        #expect(server.server.counters.accepted == 1)
    }

    @Test("a body reaches its receiver whole and the connection is kept")
    func post() throws {
        let server = try TestServer()
        let client = server.client()
        for size in [0, 1, 70_000, 1 << 20] {
            client.request("POST", "/echo", body: String(repeating: "a", count: size))
            #expect(try #require(client.answer()).text == "\(size) \(size * 97)\n")
        }
        #expect(server.hub.seen.finished == 4)
    }

    @Test("a chunked body reaches its receiver whole")
    func chunked() throws {
        let server = try TestServer()
        for _ in 0..<2 {
            let client = server.client()
            client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")
            #expect(try #require(client.answer()).text == "4 394\n")
        }
    }

    @Test("a chunk's extension is no part of its size", arguments: [";sig=deadbeef", ";a=b;c", ";ffff", ""])
    func chunkExtension(_ text: String) throws {
        let server = try TestServer()
        let client = server.client()
        client.send(
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\(text)\r\nabc\r\n1\(text)\r\nd\r\n0\r\n\r\n")
        #expect(try #require(client.answer()).text == "4 394\n")
    }

    @Test("pipelined requests are answered in their order")
    func pipelined() throws {
        let server = try TestServer()
        let client = server.client()
        let get = { (path: String) in "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n" }
        client.send(
            get("/one") + "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab" + get("/three"))
        #expect(client.answer()?.text == "GET one\n")
        #expect(client.answer()?.text == "2 195\n")
        #expect(client.answer()?.text == "GET three\n")
    }

    @Test("HEAD gets the head of a GET and no body")
    func head() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("HEAD", "/hello")
        let answer = try #require(client.answer(toHead: true))
        #expect(answer.status == 200)
        #expect(answer["Content-Length"] == "11")
        client.request("GET", "/hello")
        #expect(client.answer()?.text == "GET hello\n")
    }

    @Test("a refused request without a body keeps its connection, one with a body loses it")
    func refused() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/refuse")
        #expect(client.answer()?.status == 403)
        client.request("POST", "/refuse", body: "abc")
        #expect(client.answer()?.status == 403)
        #expect(client.rest() == [])
    }

    @Test("HTTP/1.0 is answered and closed")
    func oldVersion() throws {
        let server = try TestServer()
        let client = server.client()
        client.send("GET /old HTTP/1.0\r\nHost: localhost\r\n\r\n")
        #expect(client.answer()?.text == "GET old\n")
        #expect(client.rest() == [])
    }

    @Test("an unexpected body is ignored if it is short and refused if it is long")
    func ignoredBody() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("DELETE", "/thing", body: "{}")
        #expect(client.answer()?.text == "DELETE thing\n")
        client.request("DELETE", "/thing", headers: "Content-Length: 65537\r\n")
        #expect(client.answer()?.status == 413)
    }

    @Test("100 Continue is sent before an expected body, and not before a refused one")
    func expectation() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("POST", "/echo", headers: "Expect: 100-continue\r\nContent-Length: 3\r\n")
        #expect(client.answer()?.status == 100)
        client.send("abc")
        #expect(client.answer()?.text == "3 294\n")
        client.request("POST", "/refuse", headers: "Expect: 100-continue\r\nContent-Length: 3\r\n")
        #expect(client.answer()?.status == 403)
    }

    @Test("segments arrive in order and unchanged", arguments: [0, 1, 5])
    func segments(count: Int) throws {
        let server = try TestServer()
        let client = server.client()
        for _ in 0..<2 {
            client.request("GET", "/segments/\(count)")
            let answer = try #require(client.answer())
            #expect(answer.body.count == count << 20)
            for index in 0..<count {
                let expected = [UInt8](repeating: UInt8(index), count: 1 << 20)
                #expect(answer.body[index << 20..<(index + 1) << 20].elementsEqual(expected))
            }
        }
    }

    @Test(
        "very many pieces arrive in order and unchanged, and their memory is let go",
        arguments: [512, 513, 1024, 60_000])
    func pieces(count: Int) throws {
        let server = try TestServer()
        let client = server.client()
        let expected = (0..<count).flatMap { [UInt8](repeating: UInt8($0 % 251), count: 1 + $0 % 7) }
        for _ in 0..<2 {
            client.request("GET", "/pieces/\(count)")
            #expect(try #require(client.answer()).body == expected)
        }
        client.request("HEAD", "/pieces/\(count)")
        #expect(try #require(client.answer(toHead: true))["Content-Length"] == "\(expected.count)")
    }

    @Test("a range of a file is sent and the file closed")
    func file() throws {
        let server = try TestServer()
        let client = server.client()
        client.request("GET", "/file")
        #expect(client.answer()?.text == "range")
        #expect(eventually { server.hub.seen.descriptors.allSatisfy { fcntl($0, F_GETFD) == -1 } })
    }

    @Test("a NUL in the target does not truncate it")
    func nul() throws {
        let server = try TestServer()
        for target in ["/a\0b", "/a?x=\0b", "/\0"] {
            let client = server.client()
            client.send("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(client.answer()?.status == 400)
            #expect(client.rest() == [])
        }
        #expect(server.hub.seen.requests.isEmpty)
    }

    @Test("beyond the largest number of connections a new one is answered 503, until one has left")
    func tooMany() throws {
        let server = try TestServer { $0.maximumConnections = 2 }
        var first = [server.client(), server.client()]
        for client in first {
            client.request("GET", "/")
            #expect(client.answer()?.status == 200)
        }
        let third = server.client()
        #expect(third.answer()?.status == 503)
        #expect(third.rest() == [])
        // A loop updates its count at the end of a turn, which may be after the answer.
        #expect(eventually { server.server.counters.connections == 2 })
        first.removeLast()
        #expect(eventually { server.server.counters.connections == 1 })
        let fourth = server.client()
        fourth.request("GET", "/")
        #expect(fourth.answer()?.status == 200)
    }

    @Test("connections of one address have their own limit, except for loopback")
    func perAddress() {
        let census = ConnectionCensus(limit: 5, limitPerAddress: 1)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0xc000_0201).bigEndian
        let far = remote(address)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let near = remote(address)
        #expect(far.name == "192.0.2.1" && !far.isLocal && near.isLocal)
        #expect(census.enter(far) && !census.enter(far) && census.enter(near) && census.enter(near))
        census.leave(far)
        #expect(census.enter(far))
    }

    private func remote(_ address: sockaddr_in) -> Remote {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: address) { target.copyMemory(from: $0) }
        }
        return Remote(SocketAddress(storage, length: socklen_t(MemoryLayout<sockaddr_in>.size)))
    }

    @Test("connections are dealt to the loops in turn and counted")
    func counters() throws {
        let server = try TestServer()
        let clients = (0..<6).map { _ in server.client() }
        for client in clients {
            client.request("POST", "/echo", body: "abc")
            #expect(client.answer()?.status == 200)
        }
        let expected = { (counters: HTTPCounters) in
            counters.connections == 6 && counters.accepted == 6 && counters.requests == 6
                && counters.receivedBytes == 18
        }
        #expect(eventually { expected(server.server.counters) })
    }

    @Test("a Unix socket is served for its owner alone, taken over when abandoned, and removed at the end")
    func unixSocket() throws {
        let path = "/tmp/http-serving-\(getpid()).sock"
        let abandoned = try Listener(.unix(path: path))
        Glibc.close(abandoned.descriptor)
        let server = try TestServer { $0.address = .unix(path: path) }
        #expect(server.port == 0)
        var facts = stat()
        #expect(stat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
        #expect(throws: HTTPServerError.cannotListen(EADDRINUSE)) { try Listener(.unix(path: path)) }
        let file = path + ".txt"
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: HTTPServerError.cannotListen(EADDRINUSE)) { try Listener(.unix(path: file)) }
        #expect(unlink(file) == 0, "a file that is no socket stays")
        let client = Client(path: path)
        client.request("GET", "/local")
        #expect(client.answer()?.text == "GET local\n")
        #expect(server.hub.seen.requests.first?.remote == "local")
        server.server.stop()
        #expect(access(path, F_OK) == -1)
    }

    @Test("a socket that was handed over is served like one of our own")
    func inherited() throws {
        let listener = try Listener(.tcp(host: "127.0.0.1", port: 0))
        let server = try TestServer { $0.address = .inherited(descriptor: listener.descriptor) }
        #expect(server.port == listener.port)
        #expect(ListenAddress.inherited(descriptor: listener.descriptor).isLoopback)
        let everywhere = try Listener(.tcp(host: "0.0.0.0", port: 0))
        #expect(!ListenAddress.inherited(descriptor: everywhere.descriptor).isLoopback)
        everywhere.close()
        let client = server.client()
        client.request("GET", "/inherited")
        #expect(client.answer()?.text == "GET inherited\n")
    }

    @Test("IPv6 is served, and a peer is named without port or brackets")
    func ipv6() throws {
        let server = try TestServer { $0.address = .tcp(host: "::1", port: 0) }
        let client = Client(port: server.port, overIPv6: true)
        client.send("GET /six HTTP/1.1\r\nHost: [::1]:\(server.port)\r\n\r\n")
        #expect(client.answer()?.text == "GET six\n")
        #expect(server.hub.seen.requests.first?.remote == "::1")
    }

    @Test("answers that have no content by their status send none, and keep the connection", arguments: [204, 304])
    func bodyless(status: Int) throws {
        let server = try TestServer()
        let client = server.client()
        for _ in 0..<2 {
            client.request("GET", "/status/\(status)")
            let answer = try #require(client.answer())
            #expect(answer.status == status)
        }
        #expect(server.server.counters.accepted == 1)
    }
}
