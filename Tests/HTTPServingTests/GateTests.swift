// The admission gate alone: it gets heads and returns requests or refusals.

import Testing

@testable import HTTPServing

@Suite("Gate")
struct GateTests {
    private let gate = Gate(
        configuration: HTTPConfiguration(address: .tcp(host: "127.0.0.1", port: 0)),
        hosts: HostRule(listening: "192.0.2.7", configured: ["Trainer.example", "2001:db8::1"]))

    private func refusal(
        _ method: String = "GET", _ target: String = "/", version: String = "HTTP/1.1", host: String? = "localhost",
        fields: [(name: String, value: String)] = []
    ) -> Refusal? {
        let hosts = host.map { [(name: "Host", value: $0)] } ?? []
        let head = Head(method: method, target: target, version: version, fields: hosts + fields)
        do throws(Refusal) {
            _ = try gate.screen(head, from: "local")
            return nil
        } catch {
            return error
        }
    }

    @Test("a plain request passes", arguments: Method.allCases)
    func passes(method: Method) {
        #expect(refusal(method.rawValue, "/v1/models?prefix=a") == nil)
        #expect(refusal(method.rawValue, "/", version: "HTTP/1.0") == nil)
    }

    @Test("only known methods and versions pass")
    func methodAndVersion() {
        #expect(refusal("G(T") == .malformedMethod)
        #expect(refusal("") == .malformedMethod)
        #expect(refusal("get") == .unknownMethod("get"))
        #expect(refusal("PURGE") == .unknownMethod("PURGE"))
        #expect(refusal(version: "HTTP/1.9") == .unsupportedVersion("HTTP/1.9"))
        #expect(refusal(version: "HTTP/2.0") == .unsupportedVersion("HTTP/2.0"))
    }

    @Test("exactly one Host of the list passes, whatever its port")
    func host() {
        for host in [
            "localhost", "LOCALHOST:80", "127.0.0.1:8470", "[::1]", "[::1]:1", "192.0.2.7:9", "trainer.example",
            "[2001:db8::1]", "localhost:",
        ] {
            #expect(refusal(host: host) == nil, "\(host)")
        }
        #expect(refusal(host: nil) == .missingHost)
        #expect(refusal(fields: [(name: "host", value: "localhost")]) == .repeatedHost)
        #expect(refusal(host: "evil.example") == .foreignHost("evil.example"))
        #expect(refusal(host: "localhost.evil.example:80") == .foreignHost("localhost.evil.example"))
        for host in ["", "a b", "a/c@d", "localhost:8x", "localhost:123456", "[::1", "::1"] {
            #expect(refusal(host: host) == .malformedHost, "\(host)")
        }
    }

    @Test("HTTP/1.0 needs no Host, but one that it sends counts")
    func oldVersionHost() {
        #expect(refusal(version: "HTTP/1.0", host: nil) == nil)
        #expect(refusal(version: "HTTP/1.0", host: "evil.example") == .foreignHost("evil.example"))
    }

    @Test("the authority of an absolute target counts in place of Host")
    func absoluteTarget() {
        #expect(refusal("GET", "http://localhost:8470/livez?x=1") == nil)
        #expect(refusal("GET", "http://localhost", host: "evil.example") == nil)
        #expect(refusal("GET", "http://evil.example/livez") == .foreignHost("evil.example"))
        for target in ["http://a@localhost/", "http:///", "http://[::1/", "http://localhost:+80/", "http://?a=b"] {
            guard case .malformedTarget(let reason)? = refusal("GET", target) else {
                return #expect(Bool(false), "\(target): \(String(describing: refusal("GET", target)))")
            }
            #expect(reason.contains("host"))
        }
        #expect(refusal("GET", "http://localhost/", host: nil) == .missingHost)
        #expect(refusal("GET", "http://localhost/", host: "a b") == .malformedHost)
        #expect(refusal("GET", "ftp://localhost/") != nil)
    }

    @Test("an absolute target reaches the application as path and query")
    func absoluteTargetDecoded() throws {
        let fields = [(name: "Host", value: "localhost")]
        let head = Head(method: "GET", target: "http://localhost/a%2Fb?c=d", version: "HTTP/1.1", fields: fields)
        let request = try gate.screen(head, from: "local")
        #expect(request.target == "/a%2Fb?c=d" && request.path == ["a/b"] && request.query.map(\.value) == ["d"])
    }

    @Test("OPTIONS alone asks for the server as a whole")
    func asterisk() {
        #expect(refusal("OPTIONS", "*") == nil)
        #expect(refusal("GET", "*") != nil)
        #expect(refusal("OPTIONS", "*", host: "evil.example") == .foreignHost("evil.example"))
    }

    @Test("a pattern allows every name below it, and nothing else")
    func pattern() {
        let hosts = HostRule(listening: "127.0.0.1", configured: ["*.Example.org"])
        for host in ["a.example.org", "A.b.EXAMPLE.org:80"] { #expect(throws: Never.self) { try hosts.check(host) } }
        for host in ["example.org", ".example.org", "aexample.org", "a.example.org.evil"] {
            #expect(throws: Refusal.foreignHost(host)) { try hosts.check(host) }
        }
    }

    @Test("address literals are allowed where others can reach the server, names are not")
    func addresses() {
        let near = HostRule(listening: "127.0.0.1", configured: [])
        let far = HostRule(listening: "0.0.0.0", configured: [], allowsAddresses: true)
        for host in ["10.0.0.7", "192.0.2.1:8470", "[2001:db8::7]:1"] {
            #expect(throws: Never.self) { try far.check(host) }
            #expect(throws: Refusal.self) { try near.check(host) }
        }
        for host in ["1", "127.1", "0x7f000001", "10.0.0.7.evil.example", "[::g]", "10.0.0"] {
            #expect(throws: Refusal.self, "\(host)") { try far.check(host) }
        }
    }

    @Test("open paths are read under any Host, and only read")
    func openPaths() {
        var configuration = HTTPConfiguration(address: .tcp(host: "127.0.0.1", port: 0))
        configuration.openPaths = ["/livez"]
        let gate = Gate(configuration: configuration, hosts: HostRule(listening: "127.0.0.1", configured: []))
        func passes(_ method: String, _ target: String, host: String = "10.1.2.3:8470") -> Bool {
            let fields = [(name: "Host", value: host)]
            return
                (try? gate.screen(Head(method: method, target: target, version: "HTTP/1.1", fields: fields), from: ""))
                != nil
        }
        #expect(passes("GET", "/livez") && passes("HEAD", "/livez?x=1", host: "up"))
        #expect(passes("GET", "http://10.1.2.3/livez"))
        #expect(
            !passes("POST", "/livez") && !passes("GET", "/livez/") && !passes("GET", "/livezz") && !passes("GET", "/"))
    }

    @Test("the length of a body has one reading or none")
    func length() {
        func length(_ fields: (String, String)..., version: String = "HTTP/1.1") -> Refusal? {
            refusal("POST", version: version, fields: fields.map { (name: $0.0, value: $0.1) })
        }
        #expect(length(("Content-Length", "3")) == nil)
        #expect(length(("Content-Length", "0003")) == nil)
        #expect(length(("Transfer-Encoding", "chunked")) == nil)
        #expect(length(("Transfer-Encoding", "Chunked")) == nil)
        #expect(length() == nil)
        #expect(length(("Content-Length", "3"), ("Content-Length", "3")) == .repeatedContentLength)
        for text in ["", "-3", "+3", "3, 4", "3 3", "0x3", "3 ", "18446744073709551615"] {
            #expect(length(("Content-Length", text)) == .malformedContentLength, "\(text)")
        }
        for text in ["xchunked", "chunked ", "gzip, chunked", "chunked, identity", "identity", "\"chunked\"", ""] {
            #expect(length(("Transfer-Encoding", text)) == .unknownTransferEncoding(text), "\(text)")
        }
        #expect(length(("Content-Length", "3"), ("Transfer-Encoding", "chunked")) == .ambiguousLength)
        #expect(length(("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")) == .ambiguousLength)
        #expect(length(("Transfer-Encoding", "chunked"), version: "HTTP/1.0") == .ambiguousLength)
    }

    @Test("header names are tokens and values hold no control character")
    func headers() {
        for name in ["X Y", "X(Y", "Content-Length ", "", "X\u{e9}", "Transfer-Encodingchunked", "content-length3"] {
            #expect(refusal(fields: [(name: name, value: "a")]) == .malformedHeader(name: name), "\(name)")
        }
        for value in ["a\u{0b}b", "a\u{7f}", "\u{01}", "a\rb"] {
            #expect(refusal(fields: [(name: "X", value: value)]) == .malformedHeader(name: "X"))
        }
        #expect(refusal(fields: [(name: "X", value: "a\tb \u{e9}")]) == nil)
    }

    @Test("framing errors take precedence over all others")
    func order() {
        let bad = [(name: "Content-Length", value: "x")]
        #expect(refusal("GET", "/%zz", host: "evil.example", fields: bad) == .malformedContentLength)
    }

    @Test("a GET or HEAD with a body is refused, an empty body is none", arguments: [Method.get, .head])
    func unexpectedBody(method: Method) {
        #expect(refusal(method.rawValue, fields: [(name: "Content-Length", value: "3")]) == .unexpectedBody(method))
        #expect(
            refusal(method.rawValue, fields: [(name: "Transfer-Encoding", value: "chunked")]) == .unexpectedBody(method)
        )
        #expect(refusal(method.rawValue, fields: [(name: "Content-Length", value: "0")]) == nil)
    }

    @Test("only 100-continue can be expected")
    func expectation() {
        #expect(refusal("POST", fields: [(name: "Expect", value: "100-Continue")]) == nil)
        #expect(refusal("POST", fields: [(name: "Expect", value: "200-maybe")]) == .unknownExpectation("200-maybe"))
    }

    @Test("targets and headers have a largest size")
    func sizes() {
        #expect(refusal("GET", "/" + String(repeating: "a", count: 8_191)) == nil)
        #expect(refusal("GET", "/" + String(repeating: "a", count: 8_192)) == .targetTooLong(limit: 8_192))
        let value = String(repeating: "a", count: 16_384)
        #expect(refusal(fields: [(name: "X", value: value)]) == .headTooLarge(limit: 16_384))
    }

    @Test("every refusal has a status of its kind and a sentence")
    func texts() {
        #expect(Refusal.bodyTooLarge(limit: 5).status == 413)
        #expect(Refusal.draining.plainResponse.headers.contains { $0.name == "Retry-After" })
        #expect(Refusal.bodyTooLarge(limit: 5).detail.contains("5 bytes"))
    }
}
