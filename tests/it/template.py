"""The stack of template.yaml for the tests: translated by SAM, and made on moto.

The argument is moto's address. Reads one JSON line for each stack, its name and parameters, for as long as standard
input is open, and answers each with one: the stack's outputs, and if `look` is true all that is to know about it. With
`change` the stack is there already, and gets these parameters.
"""

import ast
import json
import logging
import os
import sys
from pathlib import Path

import boto3
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
# What moto makes of a stack. It skips what it doesn't know, such as alarms, but then fails when asked about the stack.
MOTO_KNOWS = {
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::SQS::Queue",
}


class NoManagedPolicies:
    """SAM asks AWS for these where a template names some."""

    def load(self):
        return {}


def translate(parameters):
    template = yaml_parse(TEMPLATE.read_text())
    for resource in template["Resources"].values():
        # `sam deploy` puts the place in S3 here.
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/bootstrap.zip"
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = "s3://bucket/layer.zip"
    return transform(template, dict(parameters), NoManagedPolicies())


def decided(part, template, values):
    """A part of the template as its conditions decide with these values of the parameters.

    moto decides them when it makes a stack. When it changes one it compares the templates, and sees no difference.
    """

    def holds(condition):
        match condition:
            case str(name):
                return holds(template["Conditions"][name])
            case {"Fn::Not": [other]}:
                return not holds(other)
            case {"Fn::Equals": [{"Ref": name}, value]}:
                return values[name] == value
        raise ValueError(condition)

    match part:
        case {"Fn::If": [condition, one, other]}:
            return decided(one if holds(condition) else other, template, values)
        case {"Condition": str(condition), **rest}:
            return decided(rest, template, values) if holds(condition) else None
        case dict():
            items = {key: decided(value, template, values) for key, value in part.items()}
            return {key: value for key, value in items.items() if value is not None}
        case list():
            return [decided(item, template, values) for item in part]
    return part


def for_moto(template, parameters):
    """The same without what moto can't do."""
    values = {name: declared.get("Default") for name, declared in template["Parameters"].items()} | parameters
    parts = {name: template[name] for name in ["Parameters", "Resources", "Outputs"]}
    template = json.loads(json.dumps(decided(parts, template, values)))
    for logical, resource in list(template["Resources"].items()):
        if resource["Type"] not in MOTO_KNOWS:
            del template["Resources"][logical]
        elif resource["Type"] == "AWS::Lambda::Function":
            # No bucket is needed for this. moto takes any text from whoever makes a function, and base64 for a change.
            resource["Properties"]["Code"] = {"ZipFile": "bm9uZSE="}
            # moto gives no function a layer of its own stack.
            resource["Properties"].pop("Layers", None)
        elif resource["Type"] == "AWS::Lambda::EventSourceMapping":
            # moto would start the function in a container for each message.
            resource["Properties"]["Enabled"] = False
    for name, output in list(template["Outputs"].items()):
        if "WebhookFunctionUrl" in str(output) or "WebhookApi" in str(output):
            del template["Outputs"][name]
    return template


def make(name, parameters, look, change):
    template = translate(parameters)
    make_or_change = CLOUDFORMATION.update_stack if change else CLOUDFORMATION.create_stack
    make_or_change(
        StackName=name,
        TemplateBody=json.dumps(for_moto(template, parameters)),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    outputs = CLOUDFORMATION.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    facts = {"outputs": {output["OutputKey"]: output["OutputValue"] for output in outputs}}
    return facts | {"template": template} | look_at(name) if look else facts


def look_at(stack):
    facts = {kind: {} for kind in ["queues", "functions", "mappings", "roles", "dashboards"]}
    for one in CLOUDFORMATION.describe_stack_resources(StackName=stack)["StackResources"]:
        # An empty one stands for a resource whose condition is false.
        logical, resource = one.get("LogicalResourceId"), one.get("PhysicalResourceId")
        match one.get("ResourceType"):
            case "AWS::SQS::Queue":
                answer = SQS.get_queue_attributes(QueueUrl=resource, AttributeNames=["All"])
                facts["queues"][logical] = answer["Attributes"]
            case "AWS::Lambda::Function":
                answer = LAMBDA.get_function_configuration(FunctionName=resource)
                facts["functions"][logical] = {key: answer[key] for key in ["Timeout", "Environment"]}
            case "AWS::Lambda::EventSourceMapping":
                facts["mappings"][logical] = LAMBDA.get_event_source_mapping(UUID=resource)
            case "AWS::IAM::Role":
                facts["roles"][logical] = statements(resource)
            case "AWS::CloudWatch::Dashboard":
                body = CLOUDWATCH.get_dashboard(DashboardName=resource)["DashboardBody"]
                facts["dashboards"][logical] = json.loads(body)
    return facts


def statements(role):
    """What a role's own policies say."""
    said = []
    for policy in IAM.list_role_policies(RoleName=role)["PolicyNames"]:
        document = IAM.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        if isinstance(document, str):
            # A role's own: moto keeps it as Python writes it.
            document = ast.literal_eval(document)
        said += without_nothing(document["Statement"])
    return said


def without_nothing(value):
    """What CloudFormation makes of AWS::NoValue in a list; moto leaves a hole there."""
    if isinstance(value, list):
        return [without_nothing(item) for item in value if item is not None]
    if isinstance(value, dict):
        return {key: without_nothing(item) for key, item in value.items()}
    return value


# moto believes everybody; SAM's translator wants to know a region too.
os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
# The translator warns that nobody takes its metrics.
logging.disable(logging.WARNING)
CLOUDFORMATION, CLOUDWATCH, IAM, LAMBDA, SQS = (
    boto3.client(service, endpoint_url=sys.argv[1])
    for service in ["cloudformation", "cloudwatch", "iam", "lambda", "sqs"]
)
for line in sys.stdin:
    print(json.dumps(make(**json.loads(line)), default=str), flush=True)
