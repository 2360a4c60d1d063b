def instance_id(session):
    """The caller's session may have the token among its headers."""
    response = session.get("http://169.254.169.254/latest/meta-data/instance-id", timeout=1)
    response.raise_for_status()
    return response.text
