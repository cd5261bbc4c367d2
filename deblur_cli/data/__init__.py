"""Training data: pairs of a blurred picture and its truth, as patches.

``photos`` and ``pairs`` read what lies on disk. ``datasets`` opens the sets of the field, listed in
``published``, by their ``layouts``; ``skipping`` names what cannot be used, and ``disk_pairs``
draws crops from sets too large for memory. ``motion`` and ``defocus`` blur a photo, by means of
``trajectory``, ``apertures``, ``convolution``, ``masks``, ``distributions`` and ``camera``;
``frames`` averages video. ``sources`` draw pairs from these, a ``pool`` makes each serve several
draws, and ``patches`` turns them into batches, which ``workers`` make in processes of their own,
around one ``shared`` copy of the pictures. Random numbers come from the generator passed in.
"""
