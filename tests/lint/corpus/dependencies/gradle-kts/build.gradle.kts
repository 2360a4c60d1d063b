val awsVersion = "1.11.1"

dependencies {
    implementation("com.amazonaws:aws-java-sdk-ec2:$awsVersion")
    implementation(group = "software.amazon.awssdk", name = "s3", version = "2.9.0")
    implementation(libs.jackson)
    testImplementation("com.amazonaws:aws-java-sdk-core:1.11.+")
}
