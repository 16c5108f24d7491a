mod site;
mod tidy;
