// Addresses to listen on, from text.

import Testing

@testable import HTTPServing

@Suite("Listen addresses")
struct ListenAddressTests {
    @Test("host and port, IPv6 in brackets, localhost and Unix paths are read")
    func valid() {
        #expect(ListenAddress("127.0.0.1:8470") == .tcp(host: "127.0.0.1", port: 8470))
        #expect(ListenAddress("localhost:0") == .tcp(host: "127.0.0.1", port: 0))
        #expect(ListenAddress("[::1]:80") == .tcp(host: "::1", port: 80))
        #expect(ListenAddress("0.0.0.0:80") == .tcp(host: "0.0.0.0", port: 80))
        #expect(ListenAddress("unix:/run/a.sock") == .unix(path: "/run/a.sock"))
    }

    @Test(
        "everything else is not an address",
        arguments: [
            "", ":", "80", "localhost", "localhost:", "localhost:65536", "::1:80", "a b:80", "[::1]", "[x]:1", ":80",
            "localhost:+80", "localhost:-0", "localhost: 80",
        ])
    func invalid(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test("loopback is known as such")
    func loopback() {
        #expect(ListenAddress("127.8.0.1:1")?.isLoopback == true)
        #expect(ListenAddress("[::1]:1")?.isLoopback == true)
        #expect(ListenAddress("0.0.0.0:1")?.isLoopback == false)
        #expect(ListenAddress("[::]:1")?.isLoopback == false)
        #expect(ListenAddress("[::ffff:127.0.0.1]:1")?.isLoopback == true)
        #expect(ListenAddress("unix:/a")?.isLoopback == true)
        #expect(ListenAddress("[::1]:1")?.urlHost == "[::1]")
    }
}
