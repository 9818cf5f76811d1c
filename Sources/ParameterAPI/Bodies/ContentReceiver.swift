// The receiver of all bodies. It passes bytes to a reader as they arrive, and the reader's result to the endpoint;
// errors thrown by either become the answer.

import HTTPServing
import TensorCoding

/// Reads one kind of body, piece by piece.
protocol ContentReader: AnyObject {
    associatedtype Content

    /// The memory reserved for the body.
    var loan: BodyLoan { get }

    /// Takes the next bytes, which are valid only during the call.
    func read(_ bytes: UnsafeRawBufferPointer) throws(Problem)

    /// Whether the bytes that have arrived need more work than one call may do; `work` does it.
    var hasLongWork: Bool { get }

    /// Does the pending work. No other call is made in the meantime.
    func work() throws(Problem)

    /// The content of the body, after its last byte.
    func finish() throws(Problem) -> Content
}

extension ContentReader {
    var hasLongWork: Bool { false }

    func work() throws(Problem) {}

    /// Does a step of reading JSON; its error becomes a problem of this body.
    func parsing<Result>(_ step: @autoclosure () throws(JSONError) -> Result) throws(Problem) -> Result {
        do throws(JSONError) { return try step() } catch { throw Problem(error, loan) }
    }
}

/// Collects the body of one request.
final class ContentReceiver<Reader: ContentReader>: BodyReceiver {
    private let call: Call
    private let reader: Reader
    private let done: (Reader.Content, Exchange) throws(Problem) -> Void
    private var head = BodyHead()

    /// - Parameter done: called with the complete content; an error that it throws becomes the answer.
    init(
        _ call: Call, _ reader: Reader, then done: @escaping (Reader.Content, Exchange) throws(Problem) -> Void
    ) {
        self.call = call
        self.reader = reader
        self.done = done
    }

    var payers: [String] { reader.loan.payers }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Response? {
        head.note(bytes)
        return answering { () throws(Problem) in try reader.read(bytes) }
    }

    var pause: ((Exchange) -> Void)? { reader.hasLongWork ? work : nil }

    private func work(_ exchange: Exchange) {
        nonisolated(unsafe) let work = { [self] in answering { () throws(Problem) in try reader.work() } }
        call.api.registry.slices.add {
            let refusal = work()
            exchange.complete { refusal ?? Response(status: 100) }
        }
    }

    private func answering(_ body: () throws(Problem) -> Void) -> Response? {
        do throws(Problem) {
            try body()
            return nil
        } catch {
            return head.explain(error, of: call.request).response(for: call.request)
        }
    }

    func finish(_ exchange: Exchange) {
        call.carryOut(exchange) { [self] () throws(Problem) in try done(try content(), exchange) }
    }

    func abandon() {}

    private func content() throws(Problem) -> Reader.Content {
        do throws(Problem) { return try reader.finish() } catch { throw head.explain(error, of: call.request) }
    }
}
