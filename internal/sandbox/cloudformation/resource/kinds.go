package resource

// kind is how the identities of a type look: section "Return values" of the type's page
// in the CloudFormation Template Reference. Texts have placeholders in braces.
type kind struct {
	id string
	// name is the property that replaces id, if the resource has it.
	name       string
	attributes map[string]string
}

// kinds are those of the types that the templates of Slipway have.
var kinds = map[string]kind{
	"AWS::ApiGatewayV2::Api": {id: "{hex10}", attributes: map[string]string{
		"ApiEndpoint": "https://{id}.execute-api.{region}.amazonaws.com", "ApiId": "{id}",
	}},
	"AWS::ApiGatewayV2::Authorizer":  {id: "{hex8}"},
	"AWS::ApiGatewayV2::Integration": {id: "{hex8}"},
	"AWS::ApiGatewayV2::Route":       {id: "{hex8}"},
	"AWS::ApiGatewayV2::Stage":       {name: "StageName", id: "{hex8}"},
	"AWS::ApiGatewayV2::VpcLink":     {id: "{hex8}"},

	"AWS::ApplicationAutoScaling::ScalableTarget": {id: "{property:ResourceId}|{property:ScalableDimension}|{property:ServiceNamespace}"},
	"AWS::ApplicationAutoScaling::ScalingPolicy": {
		id: "arn:{partition}:autoscaling:{region}:{account}:scalingPolicy:{uuid}:policyName/{logical}",
	},

	"AWS::CloudFront::Distribution": {id: "E{LETTERS}", attributes: map[string]string{
		"DomainName": "d{letters}.cloudfront.net", "Id": "{id}",
	}},
	"AWS::CloudFront::OriginRequestPolicy": {id: "{uuid}", attributes: map[string]string{"Id": "{id}"}},

	"AWS::CodeBuild::Project": {name: "Name", id: "{logical}-{LETTERS}", attributes: map[string]string{
		"Arn": "arn:{partition}:codebuild:{region}:{account}:project/{id}",
	}},
	"AWS::CodePipeline::Pipeline": {name: "Name", id: "{stack}-{logical}-{LETTERS}"},

	"AWS::Cognito::UserPool": {id: "{region}_{hex8}", attributes: map[string]string{
		"Arn":          "arn:{partition}:cognito-idp:{region}:{account}:userpool/{id}",
		"ProviderName": "cognito-idp.{region}.amazonaws.com/{id}",
		"ProviderURL":  "https://cognito-idp.{region}.amazonaws.com/{id}",
	}},
	"AWS::Cognito::UserPoolClient": {id: "{letters}", attributes: map[string]string{"ClientId": "{id}"}},
	"AWS::Cognito::UserPoolDomain": {name: "Domain", id: "{letters}"},

	"AWS::DynamoDB::Table": {name: "TableName", id: "{stack}-{logical}-{LETTERS}", attributes: map[string]string{
		"Arn": "arn:{partition}:dynamodb:{region}:{account}:table/{id}",
	}},

	"AWS::EC2::EIP":                         {id: "203.0.113.{octet}", attributes: map[string]string{"AllocationId": "eipalloc-{hex17}", "PublicIp": "{id}"}},
	"AWS::EC2::InternetGateway":             {id: "igw-{hex17}", attributes: map[string]string{"InternetGatewayId": "{id}"}},
	"AWS::EC2::NatGateway":                  {id: "nat-{hex17}", attributes: map[string]string{"NatGatewayId": "{id}"}},
	"AWS::EC2::Route":                       {id: "{property:RouteTableId}|{property:DestinationCidrBlock}"},
	"AWS::EC2::RouteTable":                  {id: "rtb-{hex17}", attributes: map[string]string{"RouteTableId": "{id}"}},
	"AWS::EC2::SecurityGroup":               {id: "sg-{hex17}", attributes: map[string]string{"GroupId": "{id}"}},
	"AWS::EC2::SecurityGroupIngress":        {id: "sgr-{hex17}"},
	"AWS::EC2::Subnet":                      {id: "subnet-{hex17}", attributes: map[string]string{"SubnetId": "{id}"}},
	"AWS::EC2::SubnetRouteTableAssociation": {id: "rtbassoc-{hex17}"},
	"AWS::EC2::VPC":                         {id: "vpc-{hex17}", attributes: map[string]string{"VpcId": "{id}"}},
	"AWS::EC2::VPCEndpoint":                 {id: "vpce-{hex17}"},
	"AWS::EC2::VPCGatewayAttachment":        {id: "IGW|{property:VpcId}"},

	"AWS::ECS::Cluster": {name: "ClusterName", id: "{stack}-{logical}-{LETTERS}", attributes: map[string]string{
		"Arn": "arn:{partition}:ecs:{region}:{account}:cluster/{id}",
	}},

	"AWS::ElasticLoadBalancingV2::Listener": {
		id: "arn:{partition}:elasticloadbalancing:{region}:{account}:listener/app/{logical}/{hex16}/{hex16}",
	},
	"AWS::ElasticLoadBalancingV2::ListenerRule": {
		id: "arn:{partition}:elasticloadbalancing:{region}:{account}:listener-rule/app/{logical}/{hex16}/{hex16}/{hex16}",
	},
	"AWS::ElasticLoadBalancingV2::LoadBalancer": {
		id:         "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/app/{logical}/{hex16}",
		attributes: map[string]string{"DNSName": "{logical}-{hex8}.{region}.elb.amazonaws.com"},
	},
	"AWS::ElasticLoadBalancingV2::TargetGroup": {
		id: "arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/{logical}/{hex16}",
	},

	"AWS::Events::Rule": {name: "Name", id: "{stack}-{logical}-{LETTERS}", attributes: map[string]string{
		"Arn": "arn:{partition}:events:{region}:{account}:rule/{id}",
	}},

	"AWS::IAM::ManagedPolicy": {id: "arn:{partition}:iam::{account}:policy/{stack}-{logical}-{LETTERS}"},
	"AWS::IAM::Role": {name: "RoleName", id: "{stack}-{logical}-{LETTERS}", attributes: map[string]string{
		"Arn": "arn:{partition}:iam::{account}:role/{id}",
	}},

	"AWS::Lambda::Function": {name: "FunctionName", id: "{stack}-{logical}-{LETTERS}", attributes: map[string]string{
		"Arn": "arn:{partition}:lambda:{region}:{account}:function:{id}",
	}},
	"AWS::Lambda::Permission": {id: "{stack}-{logical}-{LETTERS}"},

	"AWS::Logs::LogGroup": {name: "LogGroupName", id: "{stack}-{logical}-{LETTERS}", attributes: map[string]string{
		"Arn": "arn:{partition}:logs:{region}:{account}:log-group:{id}:*",
	}},

	"AWS::S3::Bucket": {name: "BucketName", id: "{bucket}-{letters}", attributes: map[string]string{
		"Arn": "arn:{partition}:s3:::{id}",
	}},

	"AWS::SecretsManager::RotationSchedule": {id: "{property:SecretId}"},
	"AWS::SecretsManager::Secret":           {id: "arn:{partition}:secretsmanager:{region}:{account}:secret:{logical}-{LETTERS}-{letters6}"},

	"AWS::ServiceDiscovery::PrivateDnsNamespace": {id: "ns-{letters}"},
	"AWS::ServiceDiscovery::Service": {id: "srv-{letters}", attributes: map[string]string{
		"Arn": "arn:{partition}:servicediscovery:{region}:{account}:service/{id}", "Id": "{id}",
	}},
}
