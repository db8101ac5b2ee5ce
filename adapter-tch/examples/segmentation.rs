//! Segmentation: logits of shape (images, classes, height, width), one class per pixel, and pixels without a label.
//!
//! ```text
//! cargo run --example segmentation -p label-smoothing-tch
//! ```

use label_smoothing_tch::tch::nn::{self, Module, OptimizerConfig};
use label_smoothing_tch::tch::{Device, Kind, Tensor};
use label_smoothing_tch::{Config, Denominator, Error, LossParts, SmoothedCrossEntropy, Smoothing};

/// The id of pixels that nobody labelled, as in Pascal VOC and Cityscapes.
const UNLABELLED: i64 = 255;

/// Four images of 8 x 8 pixels with a bright square on grey noise, and which pixels are the square's. The border has no label.
fn images() -> (Tensor, Tensor) {
    let kind = (Kind::Float, Device::Cpu);
    let square = Tensor::zeros([4, 1, 8, 8], kind);
    for image in 0..4 {
        let _ = square.get(image).narrow(1, 1 + image % 3, 4).narrow(2, 2 + image % 2, 3).fill_(1.0);
    }
    let labels = Tensor::full([4, 8, 8], UNLABELLED, (Kind::Int64, Device::Cpu));
    let inner = |tensor: &Tensor| tensor.narrow(-2, 1, 6).narrow(-1, 1, 6);
    inner(&labels).copy_(&inner(&square.squeeze_dim(1)));
    (square * 0.8 + Tensor::rand([4, 1, 8, 8], kind) * 0.4, labels)
}

/// The parts of the loss at the first step and at the last.
pub(crate) fn train(steps: usize) -> Result<(LossParts, LossParts), Error> {
    let (images, labels) = images();
    let variables = nn::VarStore::new(Device::Cpu);
    let same_size = nn::ConvConfig { padding: 1, ..Default::default() };
    let network = nn::conv2d(variables.root(), 1, 2, 3, same_size);
    let mut optimizer = nn::Adam::default().build(&variables, 0.2)?;

    let config = Config::cross_entropy()
        .smoothing(Smoothing::Uniform { epsilon: 0.1 })
        .class_axis(1)
        .ignore_index([UNLABELLED])
        .denominator(Denominator::Counted)
        .build()?;
    let criterion = SmoothedCrossEntropy::from_config(config)?;
    let mut step = || {
        let (loss, parts) = criterion.loss_and_parts(&network.forward(&images), &labels)?;
        optimizer.backward_step(&loss);
        Ok::<_, Error>(parts)
    };
    let first = step()?;
    for _ in 2..steps {
        step()?;
    }
    Ok((first, step()?))
}

pub(crate) fn main() -> Result<(), Error> {
    let (first, last) = train(30)?;
    println!("{} pixels have a label", last.counted());
    println!("right: {:.1} % at first, {:.1} % in the end", 100.0 * first.accuracy(), 100.0 * last.accuracy());
    Ok(())
}
