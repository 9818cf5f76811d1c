// The daemon is one call of the library: whoever wants optimizers of their own writes the same lines with theirs.

import ParameterServer

@main
enum Paramd {
    static func main() {
        ParameterServer.run()
    }
}
