// The names that other libraries use for things that have another name here. Spelling distance does not find these, so
// `NearestNames` checks this table first.

/// Names in other libraries, and their names here.
enum Aliases {
    /// The names that may be meant, most likely first and in `folded` spelling; empty if the name is not in the table.
    static func meanings(of name: String) -> [String] {
        meanings[name.folded.filter { $0 != "-" }]?.map(\.folded) ?? []
    }

    private static let meanings: [String: [String]] = [
        // Members of a definition, of a group, of a push.
        "lr": ["learning_rate"], "eta": ["learning_rate", "lr"], "rate": ["learning_rate", "lr"],
        "stepsize": ["learning_rate", "lr"], "learningrate": ["learning_rate", "lr"],
        "alpha": ["decay"], "wd": ["weight_decay"], "decay": ["weight_decay"],
        "l2": ["weight_decay"], "grad": ["gradients"], "grads": ["gradients"], "gradient": ["gradients"],
        "weights": ["parameters", "params"], "params": ["parameters"], "parameters": ["params"],
        "statedict": ["parameters"], "model": ["parameters"], "opt": ["optimizer"], "paramgroups": ["groups"],
        "workerid": ["worker"], "rank": ["worker"], "sequence": ["seq"], "batchsize": ["num_examples"],
        "gradclip": ["clip"], "clipgrad": ["clip"], "clipgradnorm": ["clip"], "maxgradnorm": ["clip"],
        "clipnorm": ["clip"], "maxnorm": ["global_norm"], "clipvalue": ["value"],
        "centralize": ["grad_centralization"], "lossscaler": ["loss_scaling"],
        // Paths below a model.
        "push": ["gradients"], "update": ["gradients"], "train": ["gradients"], "pull": ["parameters"],
        "snapshot": ["checkpoints"], "snapshots": ["checkpoints"], "slots": ["state"], "moments": ["state"],
        // Hyperparameters.
        "betas": ["beta1", "beta2"], "beta": ["beta1", "betas"], "b1": ["beta1", "betas"], "b2": ["beta2", "betas"],
        "beta1": ["betas"], "beta2": ["betas"], "epsilon": ["eps"], "nesterov": ["use_nesterov"],
        "usenesterov": ["nesterov"], "amsgrad": ["use_amsgrad"], "useamsgrad": ["amsgrad"], "rho": ["alpha", "decay"],
        // Schedules and their arguments.
        "cosine": ["cosine_decay_lr"], "cosineannealing": ["cosine_decay_lr"],
        "cosineannealinglr": ["cosine_decay_lr"], "cosinedecayschedule": ["cosine_decay_lr"],
        "exponential": ["exponential_decay_lr"], "exponentiallr": ["exponential_decay_lr"],
        "step": ["piecewise_constant_lr"], "steplr": ["piecewise_constant_lr"],
        "multistep": ["piecewise_constant_lr"], "multisteplr": ["piecewise_constant_lr"],
        "piecewise": ["piecewise_constant_lr"], "linear": ["polynomial_decay_lr"], "linearlr": ["polynomial_decay_lr"],
        "polynomial": ["polynomial_decay_lr"], "polynomiallr": ["polynomial_decay_lr"],
        "linearwarmup": ["warmup_lr"], "sequentiallr": ["sequence"], "tmax": ["decay_steps"], "etamin": ["min_lr"],
        "etamax": ["max_lr"], "initvalue": ["learning_rate"], "gamma": ["decay_rate"],
        "milestones": ["milestone"], "values": ["learning_rates"],
        // Initializers.
        "kaiminguniform": ["he_uniform"], "kaimingnormal": ["he_normal"], "kaiming": ["he_uniform", "he_normal"],
        "he": ["he_uniform", "he_normal"], "glorotuniform": ["xavier_uniform"], "glorotnormal": ["xavier_normal"],
        "glorot": ["xavier_uniform", "xavier_normal"], "xavier": ["xavier_uniform", "xavier_normal"],
        "randn": ["normal"], "gaussian": ["normal"], "rand": ["uniform"], "random": ["uniform", "normal"],
        "constant": ["zeros", "ones"],
    ]

    /// An example of a schedule as one would write it; nil if there is none.
    static func exampleOfSchedule(_ name: String) -> String? {
        switch name.foldedSchedule {
        case "cosinedecay": #"{"schedule":"cosine_decay_lr","min_lr":0.001,"max_lr":0.1,"decay_steps":2000}"#
        case "exponentialdecay":
            #"{"schedule":"exponential_decay_lr","learning_rate":0.1,"decay_rate":0.9,"decay_steps":100}"#
        case "piecewiseconstant":
            #"{"schedule":"piecewise_constant_lr","milestone":[100,200],"learning_rates":[0.1,0.01]}"#
        case "polynomialdecay":
            #"{"schedule":"polynomial_decay_lr","learning_rate":0.1,"end_learning_rate":0.001,"decay_steps":2000,"power":1}"#
        case "warmup": #"{"schedule":"warmup_lr","learning_rate":0.1,"warmup_steps":100}"#
        default: nil
        }
    }
}
