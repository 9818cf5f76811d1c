// Decoding of request targets: they are split first and decoded once; bytes that are not UTF-8 are refused.

import Testing

@testable import HTTPServing

@Suite("Request targets")
struct RequestTargetTests {
    @Test(
        "a path is split before it is decoded",
        arguments: [
            ("/", [""]), ("/a/b", ["a", "b"]), ("/a/", ["a", ""]), ("/dense%2Fkernel%3A0/x", ["dense/kernel:0", "x"]),
            ("/%2525", ["%25"]), ("/a+b", ["a+b"]), ("/%c3%A9", ["é"]), ("//a", ["", "a"]), ("/a;b=c,d", ["a;b=c,d"]),
            ("/...", ["..."]),
        ])
    func path(target: String, segments: [String]) throws {
        #expect(try RequestTarget(target).path == segments)
        #expect(try RequestTarget(target + "?x=/y").path == segments)
    }

    @Test(
        "an absolute target is an authority and the rest",
        arguments: [
            ("http://a:1/b?c=/d", "a:1", "/b?c=/d"), ("HTTPS://[::1]/", "[::1]", "/"), ("http://a", "a", "/"),
            ("http://a?b", "a", "/?b"), ("http:///b", "", "/b"),
        ])
    func absolute(target: String, authority: String, origin: String) {
        let form = TargetForm(target)
        #expect(form.authority == authority && form.origin == origin)
    }

    @Test(
        "what has no scheme of HTTP is no absolute target",
        arguments: ["/http://a/", "*", "ftp://a/b", "a:80", "http:/a"])
    func notAbsolute(target: String) {
        let form = TargetForm(target)
        #expect(form.authority == nil && form.origin == target)
    }

    @Test("query arguments keep their order and repeat")
    func query() throws {
        let query = try RequestTarget("/?name=conv*&name=a%26b+c&flag&=v&empty=&&x=1=2").query
        #expect(query.map(\.name) == ["name", "name", "flag", "", "empty", "x"])
        #expect(query.map(\.value) == ["conv*", "a&b c", "", "v", "", "1=2"])
    }

    @Test(
        "what does not decode is refused",
        arguments: [
            "", "a", "*", "/%", "/%4", "/%zz", "/%00", "/a%00b", "/?a=%00", "/%ff", "/é", "/a b",
            "/a\u{0}b", "/\u{7f}", "/#a", "/..", "/a/../b", "/%2e%2e/b", "/./b", "/a%0ab", "/?%c3",
        ])
    func malformed(target: String) {
        #expect(throws: Refusal.self) { try RequestTarget(target) }
    }
}
