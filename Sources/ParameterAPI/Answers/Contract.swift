// The contract, built into the daemon: `api/openapi.yaml` in JSON.

import HTTPServing

/// The served form of the contract.
enum Contract {
    /// The document, in memory once.
    static let body = Response.Body.segments([SharedBytes(PackageResources.openapi_json).segment])
}
