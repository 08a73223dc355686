"""Getting from one behaviour to another: test cases, rewritten files, admission policies.

What implementers need of a proposal is in `cases` and `fixtures`; what owners of manifests need is
in `neutrality`, which edits leave every wire as it is, and `rewriting`, which makes them without
touching another byte; `admission` has what keeps new uses out meanwhile. Who decides needs the
other two: `debate`, what was said and done before, and `timeline`, a proposal line by line.
"""
