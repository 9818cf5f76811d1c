// One kept connection and blocking calls: as little as a client can do, so that the servers are measured.

import Glibc
import Threading

/// A request as its bytes.
struct Request {
    let head: [UInt8]
    let body: [UInt8]

    static func get(_ path: String) -> Request {
        Request(head: Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), body: [])
    }

    static func post(_ path: String, _ body: [UInt8], kind: String) -> Request { .send("POST", path, body, kind: kind) }

    static func send(_ method: String, _ path: String, _ body: [UInt8], kind: String) -> Request {
        let head =
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: \(kind)\r\nContent-Length: \(body.count)\r\n\r\n"
        return Request(head: Array(head.utf8), body: body)
    }
}

/// A connection to a server of this machine.
final class Connection {
    private(set) var socket: Int32
    private let port: UInt16
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)
    private var filled = 0  // bytes of the last answer's start
    /// Bytes of an answer that are kept to be told; the rest of the buffer is for what follows.
    private static let opening = 4096
    private var taken = 0  // bytes of the answer that `take` reads
    /// The size of the last answer that `expect` read, with its head.
    private(set) var lastSize = 0
    /// The start of the last answer.
    private var said: String { String(decoding: buffer[..<filled], as: UTF8.self) }

    init(port: UInt16) throws {
        self.port = port
        socket = try Self.open(port)
    }

    private static func open(_ port: UInt16) throws -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var one: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) }
        }
        guard result == 0 else {
            throw BenchmarkError("No connection to port \(port): \(String(cString: strerror(errno))).")
        }
        return socket
    }

    deinit { close(socket) }

    /// Sends a request, reads the whole answer, and checks its status.
    ///
    /// A server that cannot take a body now may answer 503 before it has read it, and close the connection.
    ///
    /// - Parameter end: until when such a request is sent again, a second after it; its time counts against the server.
    func expect(_ status: Int, of request: Request, until end: UInt64 = 0) throws {
        while true {
            do {
                try send(request)
                let found = try receive()
                if found == status { return }
                guard found == 503 else { throw BenchmarkError("The server answered: \(said)") }
                throw Unavailable("The server answered: \(said)")
            } catch let error as Unavailable {
                guard Clock.now < end else { throw error }
            }
            sleep(1)
            close(socket)
            socket = try Self.open(port)
        }
    }

    func send(_ request: Request) throws {
        var sent = 0
        let whole = request.head.count + request.body.count
        while sent < whole {
            let count = request.head.withUnsafeBytes { head in
                request.body.withUnsafeBytes { body in sendRest(head, body, from: sent) }
            }
            guard count > 0 else { throw refusal() }
            sent += count
        }
    }

    /// What the server said before it closed the connection in the middle of a request.
    private func refusal() -> Unavailable {
        let count = (try? fill(from: 0)) ?? 0
        let said = String(decoding: buffer[..<count], as: UTF8.self)
        return Unavailable("The server closed the connection during a request. It said: \(said)")
    }

    private func sendRest(_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, from sent: Int) -> Int {
        var parts: [iovec] = []
        for (piece, skipped) in [(head, min(sent, head.count)), (body, max(0, sent - head.count))] {
            let rest = piece[skipped...]
            guard !rest.isEmpty else { continue }
            let start = UnsafeMutableRawPointer(mutating: UnsafeRawBufferPointer(rebasing: rest).baseAddress)
            parts.append(iovec(iov_base: start, iov_len: rest.count))
        }
        return parts.withUnsafeMutableBufferPointer { parts in
            var message = msghdr()
            (message.msg_iov, message.msg_iovlen) = (parts.baseAddress, parts.count)
            return sendmsg(socket, &message, Int32(MSG_NOSIGNAL))
        }
    }

    /// Reads an answer to its end and returns its status; `said` is the start of it.
    private func receive() throws -> Int {
        var answer: AnswerHead?
        filled = 0
        while answer == nil {
            filled += try fill(from: filled)
            answer = AnswerHead(buffer[..<filled])
        }
        guard let answer else { return 0 }
        lastSize = answer.size + answer.body
        var missing = lastSize - filled
        filled = min(filled, Self.opening)
        while missing > 0 { missing -= try fill(from: filled) }
        return answer.status
    }

    /// Reads what has arrived of an answer with `size` bytes, of which only the status is checked.
    ///
    /// - Returns: whether it is complete.
    func take(_ size: Int) throws -> Bool {
        let isFirst = taken == 0
        taken += try fill(from: taken)
        guard !isFirst || taken < 12 || buffer[9] == UInt8(ascii: "2") else {
            throw BenchmarkError("The server answered: \(String(decoding: buffer[..<taken], as: UTF8.self))")
        }
        guard taken >= size else { return false }
        taken = 0
        return true
    }

    private func fill(from start: Int) throws -> Int {
        var count: Int
        repeat {
            count = buffer.withUnsafeMutableBytes { bytes in
                recv(socket, bytes.baseAddress.map { $0 + start }, bytes.count - start, 0)
            }
        } while count < 0 && errno == EINTR  // a receive with a time limit is not restarted after a signal
        guard count > 0 else { throw BenchmarkError("The server closed the connection during an answer.") }
        return count
    }
}

/// The head of an answer.
struct AnswerHead {
    let status: Int
    /// Bytes of the head, and of the body that follows.
    let size, body: Int

    /// Nil until the head is complete.
    init?(_ bytes: some RandomAccessCollection<UInt8>) {
        guard let end = Self.end(of: Array(bytes.prefix(4096))) else { return nil }
        let text = String(decoding: bytes.prefix(end), as: UTF8.self)
        let lines = text.split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        let length = lines.first { $0.lowercased().hasPrefix("content-length:") }
        let digits = length?.split(separator: ":").last.map { $0.filter(\.isNumber) } ?? "0"
        (self.status, size, body) = (status, end, Int(digits) ?? 0)
    }

    private static func end(of bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 0...(bytes.count - 4) where bytes[index] == 13 && bytes[index + 2] == 13 {
            return index + 4
        }
        return nil
    }
}

/// A server that cannot take a request now.
private struct Unavailable: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
