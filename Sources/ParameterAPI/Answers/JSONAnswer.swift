// JSON answers: built in one buffer, indented for people at a terminal, with a final newline.

import HTTPServing
import Names
import ParameterServing
import TensorCoding

extension Response {
    /// A JSON answer.
    ///
    /// - Parameters:
    ///   - indented: one member per line.
    ///   - status: the status.
    ///   - type: the media type, if it is not plain JSON.
    ///   - headers: additional fields.
    ///   - write: writes the document's only value.
    static func json(
        indented: Bool, status: Int = 200, type: String = WireFormat.json.contentType,
        headers: [(name: String, value: String)] = [],
        _ write: (inout JSONWriter) -> Void
    ) -> Response {
        var writer = JSONWriter(indented: indented)
        write(&writer)
        return Response(
            status: status, headers: [(name: "Content-Type", value: type)] + headers, body: .bytes(writer.finish()))
    }

    /// A text answer.
    static func text(_ text: String, as format: WireFormat = .txt, status: Int = 200) -> Response {
        Response(status: status, headers: [format.header], body: .bytes(Array(text.utf8)))
    }
}

extension Call {
    /// The most mistakes that a network thread writes itself.
    private static let itemsInPlace = 64

    /// Completes the exchange with a JSON document; a long document is written on a model thread.
    ///
    /// - Parameters:
    ///   - bytes: the approximate length of the document; nil if the length depends only on the names of the model.
    ///   - loan: the memory reserved for the document.
    func answer(
        _ exchange: Exchange, status: Int = 200, headers: [(name: String, value: String)] = [], bytes: Int? = nil,
        loan: Reservation? = nil, _ write: @escaping @Sendable (inout JSONWriter) -> Void
    ) {
        let indented = isIndented
        let headers = headers + replayHeaders
        complete(exchange, isShort: bytes.map { $0 <= PieceSize.inPlace } ?? isShort) {
            var response = Response.json(indented: indented, status: status, headers: headers, write)
            response.loan = loan
            return response
        }
    }

    /// Completes the exchange with an answer without content.
    func answerNothing(_ exchange: Exchange) {
        let headers = replayHeaders
        exchange.complete { Response(status: 204, headers: headers) }
    }

    /// Completes the exchange with a problem.
    func answer(_ exchange: Exchange, _ problem: Problem) {
        let request = request
        complete(exchange, isShort: isShort && problem.items.count <= Self.itemsInPlace) {
            problem.response(for: request)
        }
    }

    /// Continues with the result of a change, marked if it is a retry; or answers with the refusal.
    func answer<Answer>(
        _ exchange: Exchange, _ result: Result<Answered<Answer>, ServingError>, _ body: (Call, Answer) -> Void
    ) {
        switch result {
        case .success(let answered): body(answered.isRepeated ? replaying : self, answered.answer)
        case .failure(let error): answer(exchange, Problem(error))
        }
    }

    /// As above, for a `make` that takes long and runs on its own thread.
    func answerLater(_ exchange: Exchange, _ make: @escaping @Sendable () throws(Problem) -> Response) {
        if api.registry.work({ [self] in answer(exchange, make) }) { return }
        var problem = Problem(
            .tooMany,
            "\(ModelRegistry.mostErrands) curves are already waiting to be computed; ask again later, or for fewer points."
        )
        problem.retryAfter = 1
        answer(exchange, problem)
    }

    /// Completes the exchange with the result of `make`, or with its refusal.
    func answer(_ exchange: Exchange, _ make: () throws(Problem) -> Response) {
        do throws(Problem) {
            let response = try make().laidOut(in: api.registry.budget)
            exchange.complete { response }
        } catch {
            answer(exchange, error)
        }
    }
}

extension JSONWriter {
    /// The most bytes that a value needs while it is written, including the copy when the buffer grows.
    static let bytesPerValue = 36

    mutating func member(_ name: Name, _ value: String) {
        key(name)
        string(value)
    }

    mutating func member(_ name: Name, _ value: Name) {
        key(name)
        string(value.text)
    }

    mutating func member(_ name: Name, _ value: Int) {
        key(name)
        integer(value)
    }

    mutating func member(_ name: Name, _ value: Bool) {
        key(name)
        bool(value)
    }

    /// Writes a double; null if there is none.
    mutating func member(_ name: Name, _ value: Double?) {
        key(name)
        if let value { number(value) } else { null() }
    }

    /// Writes a float32; null if there is none.
    mutating func member(_ name: Name, _ value: Float?) {
        key(name)
        if let value { number(value) } else { null() }
    }
}
