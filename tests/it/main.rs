mod schedule;
mod site;
mod tidy;
