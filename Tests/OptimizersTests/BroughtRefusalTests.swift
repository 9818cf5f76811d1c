// Hyperparameters that a push cannot set, each with its place in the push, the exception and the advice.

import Names
import Testing

@testable import Optimizers

@Suite("Refused hyperparameters of a push")
struct BroughtRefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let optimizer, brought, pointer: String
        let exception: ExceptionClass
        let words: String
        var testDescription: String { "\(optimizer) \(brought)" }

        init(_ optimizer: String, _ brought: String, _ pointer: String, _ exception: ExceptionClass, _ words: String) {
            (self.optimizer, self.brought, self.pointer) = (optimizer, brought, "/hyperparameters\(pointer)")
            (self.exception, self.words) = (exception, words)
        }
    }

    static let adam = #""optimizer":"adam""#
    static let torchSGD = #""optimizer":{"type":"SGD","framework":"torch"}"#
    static let grouped = #","groups":[{"name":"conv","params":["a"]},{"name":"rest","params":["b"]}]"#
    static let ownRates =
        #","groups":[{"name":"conv","params":["a"],"lr":1,"weight_decay":0},{"name":"rest","params":["b"],"lr":2,"weight_decay":0}]"#

    static let cases: [Case] = [
        // Values of the wrong kind or out of range, as in a PATCH.
        Case(adam, #"{"learning_rate":-1}"#, "/learning_rate", .valueError, "must be a number >= 0; got -1"),
        Case(adam, #"{"learning_rate":"0.1"}"#, "/learning_rate", .valueError, "must be a number >= 0"),
        Case(adam, #"{"learning_rate":true}"#, "/learning_rate", .typeError, "must be a number >= 0"),
        Case(adam, #"{"learning_rate":1e39}"#, "/learning_rate", .valueError, "too large for float32"),
        Case(adam, #"{"weight_decay":-0.5}"#, "/weight_decay", .valueError, "must be a number >= 0"),
        Case(adam, #"{"beta1":1}"#, "/beta1", .valueError, "between 0 and 1"),
        Case(adam, #"{"beta1":true}"#, "/beta1", .typeError, "got true"),
        Case(adam, #"{"beta1":[0.9,0.8]}"#, "/beta1", .typeError, "an array of 2 numbers"),
        Case(adam, #"{"use_nesterov":1}"#, "/use_nesterov", .typeError, "true or false"),
        Case(#""optimizer":"torch.Adam""#, #"{"betas":[0.9,1]}"#, "/betas", .valueError, "from 0 to below 1"),
        Case(#""optimizer":"torch.Adam""#, #"{"betas":[0.9]}"#, "/betas", .valueError, "two numbers"),
        Case(torchSGD, #"{"nesterov":true}"#, "/nesterov", .valueError, "needs a momentum above 0"),
        // What lasts longer than an update.
        Case(adam, #"{"learning_rate":[0.1,0.2]}"#, "/learning_rate", .typeError, "of a push must be numbers"),
        Case(adam, #"{"weight_decay":[0.1]}"#, "/weight_decay", .typeError, "of a push must be numbers"),
        Case(
            adam, #"{"learning_rate":{"schedule":"cosine_decay"}}"#, "/learning_rate", .typeError,
            "use PATCH for arrays"),
        Case(adam, #"{"beta1":null}"#, "/beta1", .typeError, "of a push must be numbers"),
        // Names.
        Case(adam, #"{"beta3":0.9}"#, "/beta3", .keyError, "did you mean `beta1` or `beta2`"),
        Case(adam, #"{"betas":[0.9,0.98]}"#, "/betas", .keyError, #"Write `"beta1":0.9,"beta2":0.98`"#),
        Case(#""optimizer":"sgd""#, #"{"momentun":0.9}"#, "/momentun", .typeError, "did you mean `momentum`"),
        Case(
            adam, #"{"learning_rat":1}"#, "/learning_rat", .keyError,
            #"did you mean `learning_rate`? Write `"learning_rate":1`"#),
        Case(adam, #"{"wieght_decay":1}"#, "/wieght_decay", .keyError, "did you mean `weight_decay`"),
        Case(adam, #"{"lr":0.1}"#, "/lr", .keyError, #"Write `"learning_rate":0.1`"#),
        Case(adam, #"{"optimizer":{"beta1":0.8}}"#, "/optimizer", .keyError, "without `optimizer`"),
        Case(adam, #"{"loss_scale":2}"#, "/loss_scale", .keyError, "part of the definition"),
        Case(adam, #"{"type":"SGD"}"#, "/type", .keyError, "part of the definition"),
        // Slots.
        Case(adam, #"{"use_amsgrad":true}"#, "", .valueError, "a new slot `vhat`"),
        Case(torchSGD, #"{"momentum":0.9}"#, "", .valueError, "a new slot `momentum_buffer`"),
        Case(#""optimizer":"adagrad""#, #"{"accum":0.5}"#, "", .valueError, "or other initial values"),
        Case(adam, #"{"use_offload":true}"#, "", .valueError, "centralized"),
        // Rules with a rate of their own.
        Case(
            #""optimizer":"ftrl""#, #"{"learning_rate":0}"#, "/learning_rate", .valueError, "one positive number"),
        Case(
            #""optimizer":{"type":"AdaFactor","relative_step":false}"#, #"{"weight_decay":1}"#, "/weight_decay",
            .valueError, "below 1"),
        // Groups.
        Case(adam + grouped, #"{"groups":{"cnov":{"lr":1}}}"#, "/groups/cnov", .keyError, "did you mean `conv`"),
        Case(adam + grouped, #"{"groups":[{"name":"conv","lr":1}]}"#, "/groups", .typeError, "an object such as"),
        Case(adam + grouped, #"{"groups":{"conv":0.1}}"#, "/groups/conv", .typeError, "must be an object"),
        Case(
            adam + grouped, #"{"groups":{"conv":{"learning_rate":0.1}}}"#, "/groups/conv/learning_rate", .keyError,
            #"Write `"lr":0.1`"#),
        Case(
            adam + grouped, #"{"groups":{"conv":{"lr":[0.1]}}}"#, "/groups/conv/lr", .typeError,
            "of a push must be numbers"),
        Case(
            adam + grouped, #"{"groups":{"conv":{"beta1":0.8}}}"#, "/groups/conv/beta1", .keyError,
            "set it for the model"),
        Case(
            adam + grouped, #"{"groups":{"conv":{"wieght_decay":0.8}}}"#, "/groups/conv/wieght_decay", .keyError,
            "did you mean `weight_decay`"),
        Case(
            adam + grouped, #"{"groups":{"conv":{"grad_centralization":true}}}"#,
            "/groups/conv/grad_centralization", .keyError, "part of the definition"),
        Case(
            torchSGD + grouped, #"{"groups":{"conv":{"momentun":0.8}}}"#, "/groups/conv/momentun", .keyError,
            "did you mean `momentum`"),
        Case(
            #""optimizer":"ftrl""# + grouped, #"{"groups":{"conv":{"lr":1}}}"#, "/groups/conv/lr", .valueError,
            "FTRL has one rate"),
        // What would be ignored.
        Case(
            adam + ownRates, #"{"learning_rate":1}"#, "/learning_rate", .valueError,
            #"{"groups":{"conv":{"lr":...}}}"#),
        Case(adam + ownRates, #"{"weight_decay":1}"#, "/weight_decay", .valueError, "would have no effect"),
    ]

    @Test("say what to write", arguments: cases)
    func refused(_ example: Case) throws {
        let model = try Replay(
            #"{\#(example.optimizer),"learning_rate":0.5}"#, ["a": [1], "b": [2]])
        let before = model.bits
        let complaint = complaint { () throws(OptimizerError) in
            _ = try model.optimizer.varied(by: .of(example.brought))
        }
        #expect(complaint?.pointer == example.pointer, "\(complaint?.detail ?? "")")
        #expect(complaint?.exception == example.exception)
        #expect(complaint?.detail.contains(example.words) == true, "\(complaint?.detail ?? "it is accepted")")
        #expect(throws: (any Error).self) { try model.push(["a": [1]], bringing: example.brought) }
        #expect(model.bits == before)
    }
}
