// The daemon is one call of the library; a program with its own optimizers makes the same call.

import ParameterServer

@main
enum Paramd {
    static func main() {
        ParameterServer.run()
    }
}
