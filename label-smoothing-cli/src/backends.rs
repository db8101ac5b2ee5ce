//! Which backends there are: those built in, and those that a feature brings.

use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use label_smoothing_conformance::{Backend, backends};

use crate::error::{Error, Result};

/// What `evaluate` computes with unless told otherwise: core's own, which is there whatever is built in.
pub(crate) const DEFAULT: &str = "kernel";

/// An adapter, built in or not.
struct Adapter {
    /// The name of its backend, of its feature and the end of its package's name.
    name: &'static str,
    framework: &'static str,
    dtypes: &'static str,
    /// Where its backend computes in this command.
    device: &'static str,
    /// Where else the adapter computes, and what that takes.
    elsewhere: &'static str,
}

const FLOATS: &str = "f64, f32, f16, bf16";

const ADAPTERS: &[Adapter] = &[
    Adapter { name: "ndarray", framework: "ndarray 0.17.2", dtypes: FLOATS, device: "cpu", elsewhere: "-" },
    Adapter {
        name: "candle",
        framework: "candle-core 0.11.1",
        dtypes: FLOATS,
        device: "cpu",
        elsewhere: "CUDA with feature cuda, Metal with feature metal",
    },
    Adapter {
        name: "burn",
        framework: "burn 0.22.1, flex",
        dtypes: FLOATS,
        device: "cpu",
        elsewhere: "any device of burn, by burn's feature for it",
    },
    Adapter { name: "dfdx", framework: "dfdx 0.13.0", dtypes: "f64, f32, f16", device: "cpu", elsewhere: "-" },
    Adapter {
        name: "tch",
        framework: "tch 0.26.0, libtorch 2.13.0",
        dtypes: FLOATS,
        device: "cpu",
        elsewhere: "any device of the libtorch it is linked to",
    },
];

type Backends = Vec<Box<dyn Backend>>;

/// The backends of these names, each once and in the order of the report; all that are built in where none is named.
pub(crate) fn choose(names: &[String]) -> Result<Backends> {
    let built_in = backends::all();
    if let Some(missing) = names.iter().find(|name| !built_in.iter().any(|backend| backend.name() == **name)) {
        return Err(not_built_in(missing, &built_in));
    }
    Ok(built_in.into_iter().filter(|backend| names.is_empty() || names.contains(&backend.name())).collect())
}

/// The backend of this name.
pub(crate) fn choose_one(name: &str) -> Result<Box<dyn Backend>> {
    let mut built_in = backends::all();
    match built_in.iter().position(|backend| backend.name() == name) {
        Some(index) => Ok(built_in.swap_remove(index)),
        None => Err(not_built_in(name, &built_in)),
    }
}

fn not_built_in(name: &str, built_in: &Backends) -> Error {
    let names: Vec<String> = built_in.iter().map(|backend| backend.name()).collect();
    missing(name, "built in", &names)
}

/// Why there is no backend of this name among those that are built in, compared or whatever else they are.
pub(crate) fn missing(name: &str, are: &str, names: &[String]) -> Error {
    let is_missing = |adapter: &&Adapter| names.iter().all(|name| name != adapter.name);
    if let Some(Adapter { name: feature, .. }) = adapter_of(name).filter(is_missing) {
        return Error::new(format_args!("backend {name} is not built in: build the command with --features {feature}"));
    }
    Error::new(format_args!("there is no backend {name}; {are} are {}", names.join(", ")))
}

/// An adapter has backends of its name and, for its other paths, of its name with a suffix: `candle-composed`.
fn adapter_of(backend: &str) -> Option<&'static Adapter> {
    let name = backend.split('-').next();
    ADAPTERS.iter().find(|adapter| Some(adapter.name) == name)
}

/// `backends`: the table.
pub(crate) fn table() -> String {
    let built_in = backends::all();
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY);
    table.set_header([
        "backend",
        "framework",
        "element types",
        "device",
        "elsewhere",
        "in your project",
        "in this command",
    ]);
    for backend in &built_in {
        let name = backend.name();
        let dtypes: Vec<&str> = backend.dtypes().iter().map(|dtype| dtype.name()).collect();
        let (package, elsewhere) = adapter_of(&name).map_or(("core", "-"), |it| (it.name, it.elsewhere));
        let add = format!("cargo add label-smoothing-{package}");
        let (framework, device) = (backend.framework(), backend.device());
        table.add_row([&name, &framework, &dtypes.join(", "), &device, elsewhere, &add, "built in"]);
    }
    let is_built_in = |adapter: &&Adapter| built_in.iter().any(|backend| backend.name() == adapter.name);
    for adapter in ADAPTERS.iter().filter(|adapter| !is_built_in(adapter)) {
        let Adapter { name, framework, dtypes, device, elsewhere } = *adapter;
        let add = format!("cargo add label-smoothing-{name}");
        table.add_row([name, framework, dtypes, device, elsewhere, &add, &format!("--features {name}")]);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::{ADAPTERS, backends};

    /// What is said of adapters that are not built in is what they say themselves when they are.
    #[test]
    fn adapters_are_what_their_backends_say() {
        for backend in backends::all() {
            let Some(adapter) = ADAPTERS.iter().find(|adapter| adapter.name == backend.name()) else { continue };
            let dtypes: Vec<&str> = backend.dtypes().iter().map(|dtype| dtype.name()).collect();
            let said = (adapter.framework, adapter.dtypes, adapter.device);
            assert_eq!(said, (&*backend.framework(), &*dtypes.join(", "), &*backend.device()));
        }
    }

    #[test]
    fn adapters_are_those_of_the_workspace() {
        let manifest = include_str!("../../Cargo.toml");
        for adapter in ADAPTERS {
            let linked = adapter.framework.split(',').next().unwrap();
            let (framework, version) = linked.split_once(' ').unwrap();
            let line = manifest.lines().find(|line| line.starts_with(&format!("{framework} = "))).unwrap();
            assert!(line.contains(&format!("\"{version}\"")), "{framework} {version}: {line}");
            assert!(manifest.contains(&format!("label-smoothing-{} = ", adapter.name)), "{}", adapter.name);
        }
        let features = include_str!("../../adapter-candle/Cargo.toml");
        assert!(features.contains("\ncuda = ") && features.contains("\nmetal = "), "what candle's line names");
    }
}
