// The decoders' errors as problems.

import Optimizers
import ParameterServing
import TensorCoding

extension Problem {
    /// A text that is not JSON, or has a number out of range: line, column, and what to change.
    ///
    /// - Parameter loan: the body's memory, which shows whether more could ever fit.
    init(_ error: JSONError, _ loan: BodyLoan? = nil) {
        if error.reason == .numberOutOfRange {
            self.init([Complaint(pointer: "", exception: .valueError, detail: "\(error)")])
            return
        }
        if error.reason == .overBudget {
            self.init(wanting: loan, "The body does not fit into memory at \(error).")
            return
        }
        self.init(.malformedJSON, "The body is not JSON: \(error).")
    }

    /// A file that is not a safetensors file.
    init(_ error: SafetensorsError, _ loan: BodyLoan? = nil) {
        if error == .overBudget {
            self.init(wanting: loan, "The body does not fit into memory: \(error).")
            return
        }
        self.init(.malformedTensors, "The body is not a safetensors file: \(error).")
    }
}

extension Problem {
    /// Mistakes in the tensors of a body.
    init(_ issues: [TensorIssue], _ loan: BodyLoan? = nil) {
        if let issue = issues.first(where: { $0.kind == .budget }) {
            self.init(wanting: loan, Self.sentence(issue.detail))
        } else {
            self.init(issues.map(Complaint.init))
        }
    }
}

extension Problem {
    /// A lack of memory: temporary, or permanent if the body would not fit in an empty daemon either.
    fileprivate init(wanting loan: BodyLoan?, _ what: String) {
        if case .bodiesTooLarge? = loan?.refusal, let refusal = loan?.refusal {
            self.init(refusal)
            return
        }
        guard case .outOfMemory(let needed, let limit)? = loan?.refusal, needed > limit else {
            self.init(.outOfMemory, what, hint: "Try again, or start the daemon with a larger --memory.")
            retryAfter = 1
            if case .outOfMemory(let needed, _)? = loan?.refusal { wantedRoom = needed }
            return
        }
        self.init(.exceedsMemory, what, hint: "Send less, or start the daemon with a larger --memory.")
    }
}

extension Complaint {
    /// A mistake in a tensor of a body.
    init(_ issue: TensorIssue) {
        let exception: ExceptionClass =
            switch issue.kind {
            case .notANumber, .form, .elementType: .typeError
            case .beyondFloat32, .inexact, .ragged, .shape, .base64, .indices: .valueError
            case .budget: .runtimeError
            }
        self.init(
            pointer: issue.pointer, exception: exception, detail: issue.detail)
        (expected, got) = (issue.expected, issue.got)
    }
}
