//! The command line of `accuracy`.

use std::path::PathBuf;

use clap::Args;
use label_smoothing_conformance::Dtype;

use super::figures::By;

const AFTER_ACCURACY: &str = "\
Example:
  label-smoothing accuracy --backend candle --backend tch --dtype f32 --classes 1000 --by lead --json accuracy.json

Rows of random logits with a full mantissa, one at a time and the same in every run; the target's logit leads by 0, 1, 4, 17,
40 or 80 nats; every logit has 0, 1000 or 1000000 added to it, where its type resolves that; smoothing rates 0 and 0.1. Exact
answers are computed in about 104 bits. Errors are in units roundoff u of the logits' element type, each the worst of all rows:

  loss               |actual - exact| / (u exact)
  target's gradient  |actual - exact| / (u (R + 1 - p)), R = rate (K - 1) / K, p the target's softmax; at rate 0, (u |exact|)
  row sum            |the sum of the row's gradient| / u

with the type's smallest normal number in place of a smaller scale. A result that is rounded once is off by 1 at most, one that
is lost altogether by 1/u, and one that is no number by inf. `of 2.5 + gap` is the largest share of that bound, in u, which the
loss or the target's gradient takes, for the row's own lead; 2.5 + gap/16 is that of carrying the rounding of z - max, which
the kernel keeps (in f64 with up to 4 more).";

#[derive(Debug, Args)]
#[command(after_help = AFTER_ACCURACY)]
pub(crate) struct AccuracyArgs {
    /// A backend, and its framework's own losses; all that are built in by default
    #[arg(long = "backend", value_name = "NAME")]
    pub(crate) backends: Vec<String>,

    /// f64, f32, f16 or bf16; all by default; may be given several times
    #[arg(long = "dtype", value_name = "TYPE")]
    pub(crate) dtypes: Vec<Dtype>,

    /// Classes of a row; 10, 1000, 32768 and 262144 by default; may be given several times
    #[arg(long, value_name = "K", value_parser = classes)]
    pub(crate) classes: Vec<usize>,

    /// Break the figures down, too; may be given several times
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) by: Vec<By>,

    /// Write the figures there, too, with every breakdown
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

fn classes(text: &str) -> Result<usize, String> {
    let classes = text.parse().ok().filter(|classes| (2..=1 << 20).contains(classes));
    classes.ok_or_else(|| format!("a number from 2 to {} is needed", 1 << 20))
}
