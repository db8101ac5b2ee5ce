//! Refusing, in a system's name, what the system cannot do.

use super::Preset;
use super::system::{ClassWeights, Extra, Ignored, Kind, System};
use crate::config::{
    ClassWeighting, EmptyMean, Likelihood, LossFamily, NonFiniteLogits, Options, Reduction, Smoothing,
};
use crate::error::Error;
use crate::targets::Targets;

/// Fills in what follows from the rest.
pub(in crate::config) fn complete(options: &mut Options) {
    if let Some(preset) = options.preset
        && preset.system().ignored == Ignored::Padding
        && let [padding] = options.ignore_index[..]
        && let Ok(padding) = usize::try_from(padding)
    {
        options.excluded_classes = vec![padding];
    }
}

impl Preset {
    pub(in crate::config) fn check_options(self, options: &Options) -> Result<(), Error> {
        let system = self.system();
        let checks = [smoothing, weights, ignored, mean, others];
        checks.iter().find_map(|check| check(system, options)).map_or(Ok(()), |what| self.refuse(&what))
    }

    /// What depends on the targets and on the number of classes.
    pub(in crate::config) fn check_targets<P: Clone>(
        self,
        options: &Options,
        targets: &Targets<P>,
        classes: usize,
    ) -> Result<(), Error> {
        let system = self.system();
        let Some(kind) = system.targets.iter().find(|kind| kind.is_of(&targets.labels)) else {
            let taken: Vec<&str> = system.targets.iter().map(|kind| kind.name()).collect();
            return self.refuse(&format!("takes {}, not {}", taken.join(" or "), targets.labels.name()));
        };
        if *kind == Kind::FinalProbabilities && options.smoothing.largest_rate() > 0.0 {
            let rate = options.smoothing.largest_rate();
            return self.refuse(&format!("does not smooth probabilities: the rate is {rate}, but must be 0 with them"));
        }
        let given = [(Extra::RowMask, !targets.masks.is_empty()), (Extra::RowWeights, !targets.row_weights.is_empty())];
        if let Some(extra) = not_taken(system, &given) {
            return self.refuse(&extra);
        }
        let ids_are_classes = matches!(system.ignored, Ignored::Classes | Ignored::Padding);
        let is_class = |&id: &i64| usize::try_from(id).is_ok_and(|id| id < classes);
        if ids_are_classes && let Some(id) = options.ignore_index.iter().find(|id| !is_class(id)) {
            let last = classes - 1;
            return self.refuse(&format!("ignores classes, but {id} is none: they are 0 to {last}"));
        }
        Ok(())
    }

    fn refuse(self, what: &str) -> Result<(), Error> {
        Err(Error::Configuration(format!("preset {self}: {} {what}", self.system().title)))
    }
}

fn smoothing(system: &System, options: &Options) -> Option<String> {
    if options.loss != system.loss {
        return Some("is of the other loss family".to_owned());
    }
    let (own, given) = ((system.smoothing)(0.0), &options.smoothing);
    if *given != Smoothing::None && given.name() != own.name() {
        return Some(format!("smooths by {}, not by {}", own.name(), given.name()));
    }
    let rate = given.largest_rate();
    (system.below_one && rate >= 1.0).then(|| format!("needs a rate below 1, and was given {rate}"))
}

fn weights(system: &System, options: &Options) -> Option<String> {
    let weights = options.class_weights.as_deref();
    if system.class_weights == ClassWeights::No && weights.is_some() {
        return Some("has no class weights".to_owned());
    }
    if options.class_weighting != ClassWeighting::InsideSum {
        return Some("has no other class weighting than inside_sum".to_owned());
    }
    let not_positive = weights.unwrap_or_default().iter().position(|&weight| weight <= 0.0);
    match (system.class_weights, not_positive) {
        (ClassWeights::Positive, Some(class)) => {
            Some(format!("needs class weights above 0, and class_weights[{class}] is 0"))
        }
        _ => None,
    }
}

fn ignored(system: &System, options: &Options) -> Option<String> {
    let ids = &options.ignore_index;
    let excluded = match system.ignored {
        Ignored::No if !ids.is_empty() => return Some(format!("ignores no id, and was given {ids:?}")),
        Ignored::One(_) | Ignored::Padding if ids.len() > 1 => return Some(format!("ignores one id, not {ids:?}")),
        Ignored::Classes | Ignored::Padding if ids.iter().any(|&id| id < 0) => {
            return Some(format!("ignores classes, which are not negative, and was given {ids:?}"));
        }
        Ignored::Padding if ids.is_empty() => {
            return Some(
                "smooths over the classes that are not padding: name the padding with ignore_index".to_owned(),
            );
        }
        Ignored::Padding => vec![ids[0] as usize],
        _ => Vec::new(),
    };
    (options.excluded_classes != excluded)
        .then(|| format!("excludes the classes {excluded:?} from smoothing, not {:?}", options.excluded_classes))
}

fn mean(system: &System, options: &Options) -> Option<String> {
    if !system.reductions.contains(&options.reduction) {
        let of_rows = "sums the means of its rows: take the mean over the constant K";
        let is_binary = system.loss == LossFamily::BinaryCrossEntropy;
        return Some(if is_binary { of_rows } else { "has no other reduction than the mean" }.to_owned());
    }
    let name = options.denominator.name();
    if options.reduction == Reduction::Mean && !system.denominators.iter().any(|(known, _)| *known == name) {
        let known: Vec<_> = system.denominators.iter().map(|(name, what)| format!("{name} ({what})")).collect();
        return Some(format!("takes its mean over the denominator {}, not {name}", known.join(" or ")));
    }
    let is_own = matches!(options.empty_mean, EmptyMean::Error) || options.empty_mean == system.empty_mean;
    (!is_own).then(|| "gives another mean over nothing: leave empty_mean as it is, or make it an error".to_owned())
}

fn others(system: &System, options: &Options) -> Option<String> {
    if options.subtract_entropy != system.subtract_entropy {
        let does = if system.subtract_entropy { "takes" } else { "does not take" };
        return Some(format!("{does} the entropy of the smoothed target off"));
    }
    if let Some(penalty) = options.penalties.first() {
        return Some(format!("has no penalty {}", penalty.name()));
    }
    if options.likelihood != Likelihood::NegativeLog {
        return Some(format!("has no likelihood {}", options.likelihood.name()));
    }
    let is_restricted = options.non_finite_logits == NonFiniteLogits::RestrictSupport;
    not_taken(system, &[(Extra::ZLoss, options.z_loss != 0.0), (Extra::RestrictedSupport, is_restricted)])
}

fn not_taken(system: &System, given: &[(Extra, bool)]) -> Option<String> {
    let extra = given.iter().find(|(extra, is_given)| *is_given && !system.takes.contains(extra));
    extra.map(|(extra, _)| format!("has no {}", extra.name()))
}
