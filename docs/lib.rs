//! The README and the pages of this folder, whose snippets are compiled and run as documentation tests.

macro_rules! pages {
    ($($name:ident = $file:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($file)]
            pub mod $name {}
        )*

        /// The files above.
        pub const PAGES: &[&str] = &[$($file),*];
    };
}

pages! {
    readme = "../README.md",
    index = "README.md",
    the_loss = "the-loss.md",
    which_adapter = "which-adapter.md",
    coming_from = "coming-from.md",
    write_a_backend = "write-a-backend.md",
    numerics = "numerics.md",
    reliability = "reliability.md",
}
