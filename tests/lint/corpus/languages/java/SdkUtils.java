package com.example.agent;

import com.amazonaws.util.EC2MetadataUtils;
import software.amazon.awssdk.imds.Ec2MetadataClient;

public class SdkUtils {
    // http://169.254.169.254/latest/meta-data/instance-id, asked by the SDK
    String id() {
        return EC2MetadataUtils.getInstanceId();
    }

    String zone() {
        try (Ec2MetadataClient client = Ec2MetadataClient.create()) {
            return client.get("/latest/meta-data/placement/availability-zone").asString();
        }
    }
}
