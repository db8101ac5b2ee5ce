//! A language model on sentences of unequal length: logits of shape (sentences, positions, vocabulary), and padding that
//! counts for nothing.
//!
//! ```text
//! cargo run --example language_model -p label-smoothing-candle
//! ```

use std::error::Error;

use candle_nn::{AdamW, Module, Optimizer, VarBuilder, VarMap, embedding, linear, seq};
use label_smoothing_candle::candle_core::{DType, Device, IndexOp, Tensor};
use label_smoothing_candle::{Config, LossParts, SmoothedCrossEntropy, Smoothing};

/// Also what stands before the first letter.
const PADDING: u32 = 0;
const SENTENCES: [&str; 4] = ["the cat sat", "the dog sat on the cat", "the cat", "the dog sat on the mat"];

/// The tokens, letters as numbers from 1 and the space as 27, padded in front with one and behind to the longest.
fn tokens() -> Result<Tensor, Box<dyn Error>> {
    let longest = SENTENCES.iter().map(|sentence| sentence.len()).max().unwrap_or(0);
    let token = |letter: u8| if letter == b' ' { 27 } else { u32::from(letter - b'a') + 1 };
    let mut tokens = Vec::new();
    for sentence in SENTENCES {
        tokens.push(PADDING);
        tokens.extend(sentence.bytes().map(token));
        tokens.extend(vec![PADDING; longest - sentence.len()]);
    }
    Ok(Tensor::from_vec(tokens, (SENTENCES.len(), longest + 1), &Device::Cpu)?)
}

/// The parts of the loss at the first step and at the last.
pub(crate) fn train(steps: usize) -> Result<(LossParts, LossParts), Box<dyn Error>> {
    let tokens = tokens()?;
    let length = tokens.dim(1)?;
    let (inputs, targets) = (tokens.i((.., ..length - 1))?, tokens.i((.., 1..))?);

    let variables = VarMap::new();
    let root = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let model = seq().add(embedding(28, 16, root.pp("letters"))?).add(linear(16, 28, root.pp("next"))?);
    let mut optimizer = AdamW::new_lr(variables.all_vars(), 0.05)?;

    let config = Config::cross_entropy()
        .smoothing(Smoothing::Uniform { epsilon: 0.1 })
        .excluded_classes([PADDING as usize]) // no smoothing mass on what is never a next letter
        .ignore_index([i64::from(PADDING)])
        .build()?;
    let criterion = SmoothedCrossEntropy::from_config(config)?;
    let mut step = || -> Result<LossParts, Box<dyn Error>> {
        let (loss, parts) = criterion.loss_and_parts(&model.forward(&inputs)?, &targets)?;
        optimizer.backward_step(&loss)?;
        Ok(parts)
    };
    let first = step()?;
    for _ in 2..steps {
        step()?;
    }
    Ok((first, step()?))
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let (first, last) = train(50)?;
    println!("{} letters, {} of them predicted", last.counted(), last.correct());
    println!("perplexity {:.1} at first, {:.2} in the end", first.perplexity(), last.perplexity());
    Ok(())
}
