"""Calls the function of site-cdn as Secrets Manager does, against moto.

It prints which values the load balancer takes after each step, which one CloudFront
sends, and which version of the secret is current. index.py is the function.
"""

import os

import boto3
from moto import mock_aws

HEADER = "X-Origin-Verify"
REFUSE = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]


def make_rule():
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
        for i, zone in enumerate("ab")
    ]
    balancer = elb.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=REFUSE)
    condition = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": HEADER, "Values": ["old"]}}
    return elb.create_rule(
        ListenerArn=listener["Listeners"][0]["ListenerArn"], Priority=100, Actions=REFUSE, Conditions=[condition]
    )["Rules"][0]["RuleArn"]


def make_distribution():
    origin = {
        "Id": "site",
        "DomainName": "shop.example.com",
        "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": HEADER, "HeaderValue": "old"}]},
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
    }
    behavior = {
        "TargetOriginId": "site",
        "ViewerProtocolPolicy": "allow-all",
        "MinTTL": 0,
        "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
    }
    return boto3.client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": "once",
            "Comment": "shop",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": behavior,
        }
    )["Distribution"]["Id"]


def main():
    secrets = boto3.client("secretsmanager")
    secret = secrets.create_secret(Name="header", SecretString="old")["ARN"]
    rule, distribution = make_rule(), make_distribution()
    os.environ.update(DISTRIBUTION=distribution, RULE=rule)
    import index

    version = "0" * 36
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"]:
        for _ in range(2):  # Secrets Manager repeats a step that failed at its end
            index.handler({"SecretId": secret, "ClientRequestToken": version, "Step": step}, None)
        new = secrets.get_secret_value(SecretId=secret, VersionId=version)["SecretString"]
        names = {"old": "old", new: "new"}
        conditions = boto3.client("elbv2").describe_rules(RuleArns=[rule])["Rules"][0]["Conditions"]
        takes = [names[v] for v in conditions[0]["HttpHeaderConfig"]["Values"]]
        config = boto3.client("cloudfront").get_distribution_config(Id=distribution)["DistributionConfig"]
        sends = names[config["Origins"]["Items"][0]["CustomHeaders"]["Items"][0]["HeaderValue"]]
        stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = "new" if "AWSCURRENT" in stages[version] else "old"
        print(f"{step}: takes {' '.join(takes)}, sends {sends}, current {current}")


os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
with mock_aws():
    main()
