//! The Lambda function behind a Function URL or an API Gateway HTTP API.

fn main() -> Result<(), lambda_runtime::Error> {
    taskhook::telemetry::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    taskhook::lambda::webhook::run(&runtime)
}
