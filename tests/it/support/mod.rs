//! The world a test lives in.

pub mod recordings;
pub mod wait;
pub mod world;

pub use wait::until;
pub use world::World;
