// The pages that may write here. Any page can make a browser send a write: it cannot read the answer, but the write is
// executed. Programs other than browsers send none of these headers. Used by the gate.

/// The pages that may write: those served from the requested host, and those of the allowed hosts.
struct SiteRule: Sendable {
    let hosts: HostRule

    /// Refuses a write that a page of another site made a browser send.
    ///
    /// Browsers send `Sec-Fetch-Site` only to https and loopback hosts, and `Origin` with every write by a page.
    ///
    /// Source: RFC 6454, section 7, and Fetch Metadata Request Headers, `Sec-Fetch-Site`.
    func check(_ headers: Headers, asking host: String?, by method: Method) throws(Refusal) {
        guard ![.get, .head, .options].contains(method) else { return }
        let origins = headers.values(of: "Origin")
        if let foreign = origins.first(where: { !isOwn($0, asking: host) }) { throw .foreignSite("Origin: \(foreign)") }
        let sites = headers.values(of: "Sec-Fetch-Site")
        guard origins.isEmpty, let site = sites.first(where: { !["same-origin", "none"].contains($0.lowercased()) })
        else { return }
        throw .foreignSite("Sec-Fetch-Site: \(site)")
    }

    /// Whether a page of the origin was served from the requested host, or from one that is allowed by name.
    private func isOwn(_ origin: String, asking host: String?) -> Bool {
        guard let colon = origin.firstRange(of: "://") else { return false }
        let (scheme, authority) = (origin[..<colon.lowerBound].lowercased(), origin[colon.upperBound...].lowercased())
        guard let name = HostRule.name(of: authority) else { return false }
        let port = scheme == "https" ? ":443" : ":80"
        let isSame = host.map { Self.full($0.lowercased(), port) == Self.full(authority, port) } ?? false
        return isSame || hosts.isListed(name)
    }

    private static func full(_ authority: String, _ port: String) -> String {
        HostRule.name(of: authority) == authority ? authority + port : authority
    }
}
