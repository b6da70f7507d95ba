//! Every command, run inside of this process: what it writes, and how it ends.

mod check;
mod diff;
mod embedding;
mod health;
mod help;
mod hints;
mod migrate;
mod migrations;
mod route;
mod routes;
mod secrets;
mod tasks;
mod usage;
mod world;
