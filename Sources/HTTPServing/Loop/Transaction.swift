// One request from its first line to the end of its answer: a state machine that receives events and returns the next
// move. It touches no socket; the loop's handler executes the moves. Confined to one loop's thread.

import Glibc

/// One request in progress.
final class Transaction {
    /// The handler's next move.
    enum Move {
        /// Continue reading.
        case proceed
        /// Queue this answer.
        case answer(Response)
        /// Suspend the connection until the exchange is settled.
        case park(Exchange)
        /// Write this answer straight to the socket, then receive and discard further bytes.
        case interrupt(Response)
        /// Close the connection.
        case cut
    }

    private enum Phase {
        case opened
        case ready((Exchange) -> Void)
        case refusedLater(Response)
        case streaming(any BodyReceiver, limit: Int)
        case resting(Exchange, any BodyReceiver, limit: Int)
        case ignoring(then: Response, allowance: Int)
        case lingering
        case parked(Exchange)
        case done
    }

    let target: String
    /// The end of the target in the library's memory; only for comparison with other addresses.
    let targetEnd: UnsafePointer<CChar>
    /// The library's handle of the connection.
    let handle: OpaquePointer
    let connection: Connection
    /// The first byte of the request in the library's memory; nil until its head is complete.
    var start: UnsafePointer<CChar>?
    /// Bytes of the body received.
    private(set) var receivedBytes = 0
    /// Whether the body comes in chunks.
    private(set) var isChunked = false
    /// Whether the request changes something.
    private(set) var mayChangeState = false
    /// Whether only the head of the answer is sent.
    private(set) var isHead = false
    private var phase = Phase.opened
    private var announcedBytes: Int?
    private var sendsBody = false
    private let context: TransactionContext

    init(
        target: UnsafePointer<CChar>, handle: OpaquePointer, connection: Connection, context: TransactionContext
    ) {
        self.target = String(cString: target)
        targetEnd = target + strlen(target)
        self.handle = handle
        self.connection = connection
        self.context = context
    }

    /// The receiver of the body; nil if no body is expected.
    var receiver: (any BodyReceiver)? {
        switch phase {
        case .streaming(let receiver, _), .resting(_, let receiver, _): receiver
        case .opened, .ready, .refusedLater, .ignoring, .lingering, .parked, .done: nil
        }
    }

    /// Whether the receiver works, or has worked, and the library has not called the handler since.
    var isResting: Bool {
        if case .resting = phase { true } else { false }
    }

    /// Whether the library has not called the handler yet.
    var awaitsHead: Bool {
        if case .opened = phase { true } else { false }
    }

    /// Handles a complete head, before any byte of the body is read.
    ///
    /// - `sendsBody`: whether the client sends a body without waiting for `100 Continue`.
    func begin(_ admitted: Result<Request, Refusal>, sendsBody: Bool) -> Move {
        self.sendsBody = sendsBody
        switch admitted {
        case .failure(let refusal):
            return refuse(with: context.render(refusal))
        case .success(let request):
            announcedBytes = request.contentLength
            mayChangeState = ![.get, .head, .options].contains(request.method)
            isHead = request.method == .head
            isChunked = request.isChunked
            return begin(request, context.application.route(request))
        }
    }

    private func begin(_ request: Request, _ plan: Plan) -> Move {
        switch plan {
        case .refuse(let response):
            return request.announcesBody ? refuse(with: response) : proceed(to: .refusedLater(response))
        case .answer(let body):
            return request.announcesBody ? ignoreBody(of: request, then: body) : proceed(to: .ready(body))
        case .read(let receiver, let limit):
            return read(request, into: receiver, limit: limit)
        }
    }

    /// Answers before the body, and closes the connection.
    ///
    /// A client that is still sending must not be cut off: the reset would destroy the answer before it is read.
    private func refuse(with response: Response) -> Move {
        sendsBody ? interrupt(with: response) : finish(with: response)
    }

    private func proceed(to next: Phase) -> Move {
        phase = next
        return .proceed
    }

    private func ignoreBody(of request: Request, then body: @escaping (Exchange) -> Void) -> Move {
        read(request, into: IgnoredBody(then: body), limit: context.maximumIgnoredBytes)
    }

    private func read(_ request: Request, into receiver: any BodyReceiver, limit: Int) -> Move {
        guard request.isChunked || request.contentLength != nil else {
            return proceed(to: .refusedLater(context.render(.lengthRequired)))
        }
        guard request.contentLength ?? 0 <= limit else {
            return refuse(with: context.render(.bodyTooLarge(limit: limit)))
        }
        return proceed(to: .streaming(receiver, limit: limit))
    }

    private func finish(with response: Response) -> Move {
        phase = .done
        return .answer(response)
    }
}

extension Transaction {
    /// Takes the next bytes of the body.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Move {
        if let move = endRest() { return move }
        let chunk = isChunked ? ChunkLine.size(before: bytes) ?? 0 : 0
        let before = receivedBytes
        receivedBytes += bytes.count
        switch phase {
        case .streaming(let receiver, let limit):
            if chunk == .max || chunk > limit - before {
                receiver.abandon()
                return interrupt(with: context.render(chunk == .max ? .uncountable : .bodyTooLarge(limit: limit)))
            }
            if receivedBytes > limit {
                receiver.abandon()
                return stopReading(context.render(.bodyTooLarge(limit: limit)))
            }
            return receiver.receive(bytes).map(stopReading) ?? rest(receiver, limit)
        case .ignoring(let response, let allowance):
            guard max(chunk, bytes.count) <= allowance else { return interrupt(with: response) }
            return proceed(to: .ignoring(then: response, allowance: allowance - bytes.count))
        case .lingering:
            return .proceed
        case .opened, .ready, .refusedLater, .resting, .parked, .done:
            return .cut
        }
    }

    /// Stops reading while the receiver works on what it has received.
    private func rest(_ receiver: any BodyReceiver, _ limit: Int) -> Move {
        guard let pause = receiver.pause else { return .proceed }
        let exchange = Exchange(loop: context.loop)
        pause(exchange)
        phase = .resting(exchange, receiver, limit: limit)
        return endRest() ?? .proceed
    }

    /// Continues as the receiver decides; nil if the connection reads on, or if nothing rests.
    private func endRest() -> Move? {
        guard case .resting(let exchange, let receiver, let limit) = phase else { return nil }
        switch exchange.takeOutcome() {
        case .park: return .park(exchange)
        case .answer(let make):
            phase = .streaming(receiver, limit: limit)
            let response = make()
            return response.status == 100 ? nil : stopReading(response)
        case .cut: return .cut
        }
    }

    /// Ends the body early, because the receiver has stopped: a short remainder is ignored, so that the connection can
    /// be kept; before a long one the answer is sent.
    private func stopReading(_ response: Response) -> Move {
        let rest = announcedBytes.map { $0 - receivedBytes } ?? 0
        guard rest <= context.maximumIgnoredBytes else { return interrupt(with: response) }
        return proceed(to: .ignoring(then: response, allowance: context.maximumIgnoredBytes))
    }

    private func interrupt(with response: Response) -> Move {
        phase = .lingering
        return .interrupt(response)
    }

    /// Handles a complete request, or a parked connection that has been resumed.
    func advance() -> Move {
        if let move = endRest(), case .interrupt = move { return move }
        switch phase {
        case .ready(let body):
            return run(body)
        case .refusedLater(let response), .ignoring(let response, _):
            return finish(with: response)
        case .streaming(let receiver, _):
            guard receivedBytes == announcedBytes ?? receivedBytes else { return .cut }
            return run(receiver.finish)
        case .parked(let exchange):
            return settle(exchange)
        case .opened, .lingering, .resting, .done:
            return .cut
        }
    }

    private func run(_ body: (Exchange) -> Void) -> Move {
        let exchange = Exchange(loop: context.loop)
        phase = .done
        body(exchange)
        return settle(exchange)
    }

    private func settle(_ exchange: Exchange) -> Move {
        switch exchange.takeOutcome() {
        case .park:
            phase = .parked(exchange)
            return .park(exchange)
        case .answer(let make):
            return finish(with: make())
        case .cut:
            phase = .done
            return .cut
        }
    }

    /// Handles the end of the request, when its answer is sent or its connection closed: abandons an incomplete body.
    func end() {
        switch phase {
        case .parked(let exchange), .resting(let exchange, _, _): exchange.abandon()
        case .opened, .ready, .refusedLater, .streaming, .ignoring, .lingering, .done: break
        }
        receiver?.abandon()
        phase = .done
    }
}

/// The services that a transaction needs of its loop.
struct TransactionContext {
    let application: any Application
    let loop: any ExchangeLoop
    let render: @Sendable (Refusal) -> Response
    let maximumIgnoredBytes: Int
}

/// An unexpected body, read so that the connection can be kept.
private final class IgnoredBody: BodyReceiver {
    private let body: (Exchange) -> Void

    init(then body: @escaping (Exchange) -> Void) { self.body = body }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? { nil }
    func finish(_ exchange: Exchange) { body(exchange) }
    func abandon() {}
}
