// The first requests of newcomers and supervisors: the guide, the probes, the version, the contract, the help pages.

import HTTPServing

/// `GET /`: commands that work when pasted.
@Sendable func getGuide(_ call: Call) throws(Problem) -> Plan {
    let host = call.request.headers["Host"] ?? "127.0.0.1:8470"
    let text = guide(for: host, version: call.api.version)
    let wantsPage = call.wantsPage
    return .answer { exchange in exchange.complete { wantsPage ? page(text, title: "paramd") : .text(text) } }
}

/// `GET /livez`: whether the process answers.
@Sendable func getLiveness(_ call: Call) throws(Problem) -> Plan {
    .answer { exchange in exchange.complete { .text("ok\n") } }
}

/// `GET /readyz`: whether it accepts pushes.
@Sendable func getReadiness(_ call: Call) throws(Problem) -> Plan {
    .answer { exchange in
        if let reason = call.api.registry.notReady {
            call.answer(exchange, Problem(reason))
        } else {
            exchange.complete { .text("ok\n") }
        }
    }
}

/// `GET /version`: the release.
@Sendable func getVersion(_ call: Call) throws(Problem) -> Plan {
    .answer { exchange in
        call.answer(exchange) { writer in
            writer.beginObject()
            writer.member("name", "paramd")
            writer.member("version", call.api.version)
            writer.member("api", "v1")
            writer.endObject()
        }
    }
}

/// `GET /openapi.json`: the contract.
@Sendable func getContract(_ call: Call) throws(Problem) -> Plan {
    .answer { exchange in
        exchange.complete {
            Response(status: 200, headers: [WireFormat.json.header], body: Contract.body)
        }
    }
}

/// `GET /problems/{slug}`: the meaning of an error, and what to do.
@Sendable func getProblemPage(_ call: Call) throws(Problem) -> Plan {
    guard let kind = ProblemKind(rawValue: call.argument("slug")) else {
        throw Problem(
            .notFound,
            "Unknown problem `\(call.argument("slug").prefix(80))`; use one of \(ProblemKind.allCases.map(\.rawValue).joined(separator: ", "))."
        )
    }
    let text = "\(kind.title) (\(kind.status))\n\n\(kind.help)\n"
    let wantsPage = call.wantsPage
    return .answer { exchange in exchange.complete { wantsPage ? page(text, title: kind.title) : .text(text) } }
}

extension Call {
    /// Whether a browser sent the request: a browser accepts HTML explicitly, programs accept anything.
    fileprivate var wantsPage: Bool { request.headers["Accept"]?.contains("text/html") ?? false }
}

/// A text for a browser.
private func page(_ text: String, title: String) -> Response {
    let escaped = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    let html = """
        <!doctype html><html lang="en"><meta charset="utf-8"><title>\(title)</title>
        <meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width">
        <pre style="font:15px/1.5 ui-monospace,monospace;max-width:100ch;margin:3em auto;white-space:pre-wrap">\(escaped)</pre></html>

        """
    return .text(html, as: .html)
}

private func guide(for host: String, version: String) -> String {
    """
    paramd \(version): a parameter server that you can use with curl

    Create a model, or start it over: SGD with a learning rate for each of three steps
      curl -X PUT --json '{"optimizer":"sgd","learning_rate":[0.5,0.25,0.1],"parameters":{"w":[0,0]}}' '\(host)/v1/models/demo?replace=1'

    Push a gradient; the answer contains the rate that was used
      curl --json '{"gradients":{"w":[1,-2]}}' \(host)/v1/models/demo/gradients

    Pull the parameters, now or once there is a version after the first. With the newest version as since, this waits for
    the next push, and prints nothing (304) if none comes in time
      curl \(host)/v1/models/demo/parameters
      curl '\(host)/v1/models/demo/parameters?since=1&wait=30s'

    The rate of the next update, and of all of them
      curl \(host)/v1/models/demo/lr
      curl '\(host)/v1/models/demo/lr?from=0&to=2'

    The contract: \(host)/openapi.json   Models: \(host)/v1/models
    Before curl 7.82 write -H 'Content-Type: application/json' -d in place of --json.

    """
}
