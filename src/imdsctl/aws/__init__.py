"""The AWS adapter: the tool's values and AWS's credentials come in, AWS API calls go out.

What AWS answers leaves as the shared values, what fails as `Unreadable`, `Refused`, `Throttled`
or `Unanswered`; no credential, session token or user data leaves in either.
"""
