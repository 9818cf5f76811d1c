// A client on a raw socket, which can send what no well-behaved client sends. All tests of this module that need a
// connection use it.

import Glibc

@testable import HTTPServing

/// A TCP connection to a server on this machine.
final class Client {
    let descriptor: Int32
    private var unread: [UInt8] = []

    /// Connects to a port of this machine; every later call waits at most `patience` seconds.
    convenience init(port: Int, overIPv6: Bool = false, patience: Int = 60) {
        self.init(SocketAddress(host: overIPv6 ? "::1" : "127.0.0.1", port: UInt16(port)), patience: patience)
    }

    /// Connects to a Unix socket.
    convenience init(path: String) {
        self.init(SocketAddress(path: path), patience: 60)
    }

    private init(_ address: SocketAddress?, patience: Int) {
        descriptor = socket(address?.family ?? AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        _ = address?.withPointer { connect(descriptor, $0, $1) }
    }

    deinit { close(descriptor) }

    /// Sends all bytes; false if the server closed the connection meanwhile.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + start }, $0.count - start, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            start += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Sends a request with the usual Host and, if there is a body, its length.
    func request(_ method: String, _ target: String, headers: String = "", body: String? = nil) {
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        send("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)\(length)\r\n\(body ?? "")")
    }

    /// Closes the sending side.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Sends a reset instead of an orderly end when the client is closed.
    func resetOnClose() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }

    /// The next answer, including interim ones (1xx); nil if the connection ends or stays silent.
    func answer(toHead: Bool = false) -> Answer? {
        while true {
            if let end = Answer.endOfHead(in: unread) {
                guard var answer = Answer(head: unread[..<end]) else { return nil }
                unread.removeFirst(end)
                let isBodyless = toHead || answer.status < 200 || answer.status == 204 || answer.status == 304
                let count = isBodyless ? 0 : Int(answer["Content-Length"] ?? "") ?? 0
                while unread.count < count { guard fill() else { return nil } }
                answer.body = Array(unread.prefix(count))
                unread.removeFirst(count)
                return answer
            }
            guard fill() else { return nil }
        }
    }

    /// Whether something has arrived.
    var hasInput: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0
    }

    /// The head of the next answer, whose body has not been read yet.
    func head() -> Answer? {
        while true {
            if let end = Answer.endOfHead(in: unread) {
                defer { unread.removeFirst(end) }
                return Answer(head: unread[..<end])
            }
            guard fill() else { return nil }
        }
    }

    /// The next line, without its end.
    func line() -> String? {
        while true {
            if let end = unread.firstIndex(of: 10) {
                defer { unread.removeFirst(end + 1) }
                return String(decoding: unread[..<end].dropLast(), as: UTF8.self)
            }
            guard fill() else { return nil }
        }
    }

    /// The next `count` bytes.
    func take(_ count: Int) -> [UInt8]? {
        while unread.count < count { guard fill() else { return nil } }
        defer { unread.removeFirst(count) }
        return Array(unread.prefix(count))
    }

    /// Reads to the end of the connection; nil if it stays open.
    func rest() -> [UInt8]? {
        while fill() {}
        return isClosed ? unread : nil
    }

    private(set) var isClosed = false
    /// Whether any of the received text looks like an HTML page.
    private(set) var hasMarkup = false

    private func fill() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count == 0 || (count < 0 && errno != EAGAIN) { isClosed = true }
        guard count > 0 else { return false }
        unread += buffer.prefix(count)
        hasMarkup = hasMarkup || String(decoding: unread.prefix(1_000), as: UTF8.self).lowercased().contains("<html")
        return true
    }
}

/// An answer as it was received.
struct Answer {
    let status: Int
    let fields: [(name: String, value: String)]
    var body: [UInt8] = []

    var text: String { String(decoding: body, as: UTF8.self) }

    subscript(name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The position after the empty line that ends a head.
    static func endOfHead(in bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (4...bytes.count).first { bytes[$0 - 4..<$0].elementsEqual([13, 10, 13, 10]) }
    }

    init?(head: ArraySlice<UInt8>) {
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        self.status = status
        fields = lines.dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (String(line[..<colon]), String(line[line.index(after: colon)...].drop { $0 == " " }))
        }
    }
}
