//! What goes wrong, made to go wrong: steps that fail, processes that die, storages that rot, others in the way.

mod damage;
mod doctor;
mod drill;
mod drill_verdict;
mod exit_codes;
mod faults;
mod kill;
mod limits;
mod links;
mod locks;
mod pins;
mod postgres;
mod power;
mod quiet;
mod rotation;
mod secrets;
mod together;
mod transaction;
mod traps;
mod undo;
