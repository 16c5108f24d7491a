//! Repositories of the platform's former add-ons, made by stock restic with their own calls: taken over, restored, gone on with.

mod fixture;
mod hostile;
mod keys;
mod story;
