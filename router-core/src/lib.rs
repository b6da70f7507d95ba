//! Decides which database a model belongs to.

mod alias;
mod app;
mod operation;
mod place;

pub use alias::Alias;
pub use app::AppLabel;
pub use operation::{Operation, Operations, UnknownOperation};
pub use place::Place;
