import os

import boto3

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["HTTP_URL"],
    region_name="eu-west-1",
    aws_access_key_id="try",
    aws_secret_access_key="try",
)

if os.environ["TRY"] != "lazy":
    s3.get_object(Bucket="try", Key="0")["Body"].read()  # its connection is kept

if os.environ["TRY"] == "hooks":

    def before_fork():
        s3.close()


class Try:
    def run(self, params):
        return {"n": int(s3.get_object(Bucket="try", Key=str(params["n"]))["Body"].read())}
