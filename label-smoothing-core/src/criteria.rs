//! The two structs that every adapter has, written once.

/// Defines `SmoothedCrossEntropy` and `SmoothedBinaryCrossEntropy` in an adapter's crate.
///
/// The traits are core's and the tensors are the framework's, so the structs that join them must be the adapter's own.
/// This macro makes them the same in every adapter: to change framework is to change one `use`.
///
/// ```
/// label_smoothing_core::criteria! {}
///
/// let criterion = SmoothedCrossEntropy::new(0.1)?;
/// assert_eq!(criterion, SmoothedCrossEntropy::from_config(criterion.config().clone())?);
/// # Ok::<(), label_smoothing_core::Error>(())
/// ```
#[macro_export]
macro_rules! criteria {
    () => {
        $crate::criteria! {
            /// Softmax cross entropy against label-smoothed targets, for one of K classes.
            ///
            /// Defaults are those of class indices in PyTorch: uniform smoothing over all classes, mean over the
            /// counted rows. See [`SmoothedLoss`]($crate::SmoothedLoss) for formula, shapes and numerics.
            SmoothedCrossEntropy, CrossEntropy, cross_entropy, Uniform,
            "`(1 - epsilon)` of each target, and `epsilon / K` for each of the K classes."
        }
        $crate::criteria! {
            /// Sigmoid cross entropy per element against label-smoothed targets, for independent yes-or-no classes.
            ///
            /// See [`SmoothedLoss`]($crate::SmoothedLoss) for formula, shapes and numerics.
            SmoothedBinaryCrossEntropy, BinaryCrossEntropy, binary_cross_entropy, UniformHalf,
            "`(1 - epsilon) y + epsilon / 2` for each target `y`."
        }
    };
    ($(#[$doc:meta])* $name:ident, $family:ident, $start:ident, $kind:ident, $smoothed:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            config: $crate::Config,
        }

        impl $name {
            #[doc = concat!("With smoothing rate `epsilon` and all other options at their defaults: ", $smoothed)]
            ///
            /// # Errors
            ///
            /// A rate that is not between 0 and 1.
            pub fn new(epsilon: f64) -> ::std::result::Result<Self, $crate::Error> {
                let smoothing = $crate::Smoothing::$kind { epsilon };
                Self::from_config($crate::Config::$start().smoothing(smoothing).build()?)
            }

            #[doc = concat!("With every option; start one with `Config::", stringify!($start), "()`, or with a `Preset`.")]
            ///
            /// # Errors
            ///
            /// A configuration of the other loss family.
            pub fn from_config(config: $crate::Config) -> ::std::result::Result<Self, $crate::Error> {
                if config.loss() == $crate::LossFamily::$family {
                    Ok(Self { config })
                } else {
                    let message = concat!(stringify!($name), " needs a configuration of its own family");
                    Err($crate::Error::Configuration(message.to_owned()))
                }
            }

            /// The configuration.
            #[must_use]
            pub fn config(&self) -> &$crate::Config {
                &self.config
            }
        }
    };
}
